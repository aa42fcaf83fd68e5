"""Who is asking: a profile, if there is one, and what they have done just now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lakehouse.online.profiles import OnlineProfile
from lakehouse.online.recent import RecentBehaviour
from lakehouse.rules.vocabulary import VOCABULARY

Identifier = tuple[str, str]  # type and token
PURPOSES = ("analytics", "personalization", "marketing")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """`asked`: the identifier of the request; `timelines`: keys of the timelines of all identifiers of the person.

    `missing`: what could not be read, in words; the answer is degraded by it.
    """

    asked: Identifier | None
    profile: OnlineProfile | None
    recent: RecentBehaviour
    timelines: tuple[str, ...] = ()
    is_suppressed: bool = False
    missing: tuple[str, ...] = field(default=())

    @property
    def unit(self) -> str:
        """Whom experiments and the log count: the profile, or the visitor while there is none."""
        if self.profile is not None:
            return self.profile.profile_id
        return ":".join(self.asked) if self.asked else "nobody"

    @property
    def is_known(self) -> bool:
        """Whether anything is known of this visitor at all."""
        return self.profile is not None or bool(self.recent.entry_count)

    def consent(self, *, assumed: bool) -> Mapping[str, bool]:
        """The latest word for each purpose: what was said just now, then the profile's, then what is assumed.

        Nothing is allowed while the profile cannot be read: nobody knows what they said.
        """
        if self.missing:
            return {purpose: False for purpose in PURPOSES}
        return {purpose: self._word(purpose, assumed) for purpose in PURPOSES}

    def _word(self, purpose: str, assumed: bool) -> bool:
        just_now = self.recent.consent.get(purpose)
        if just_now is not None:
            return just_now
        said: bool | None = None if self.profile is None else getattr(self.profile, f"consent_{purpose}")
        return assumed if said is None else said


# Columns of gold.activation that rules may read, as the online profile holds them.
_OF_PROFILE = (
    *("first_seen_at", "last_seen_at", "last_order_at", "event_count", "view_count", "cart_count", "frequency"),
    *("r_score", "f_score", "m_score", "segment", "purchase_propensity", "churn_risk", "clv", "next_best_action"),
    *(f"consent_{purpose}" for purpose in PURPOSES),
)
_HERE = ("page_type", "device", "product_id", "category", "price")


def context_of(
    visitor: Visitor,
    here: Mapping[str, Any],
    *,
    now: datetime,
    event: Mapping[str, Any] | None = None,
    segment: str | None = None,
) -> dict[str, object]:
    """The vocabulary of rules, filled. `here`: page_type, device, product_id, category, price of the request.

    `event`: event_type, event_name, product_id, category, price and occurred_at of the event that is decided on.
    `segment`: what the caller says, where the profile has none.
    """
    context: dict[str, object] = dict.fromkeys(VOCABULARY)
    profile = visitor.profile
    if profile is not None:
        for name in _OF_PROFILE:
            context[name] = getattr(profile, name)
        context["monetary"] = float(profile.monetary)
    context["is_known"] = profile is not None and profile.is_known
    context |= visitor.recent.context()
    for name in _HERE:
        context[name] = here.get(name)
    if event is not None:
        context |= {name: value for name, value in event.items() if value is not None}
    if context["segment"] is None:
        context["segment"] = segment
    for purpose, word in visitor.recent.consent.items():
        context[f"consent_{purpose}"] = word
    context["now"] = now
    return context

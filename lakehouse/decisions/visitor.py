"""Who is asking: a profile, if there is one, and what they have done just now. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from lakehouse.config.limits import PURPOSES
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.experiment_unit import Units
from lakehouse.decisions.part import Part, most_restrictive
from lakehouse.events.identifier import Identifier
from lakehouse.features.definition import Features
from lakehouse.features.online_values import OnlineFeatures
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.recent_behaviour import RecentBehaviour
from lakehouse.online.recent_entries import EXPOSED, key_of
from lakehouse.online.store import Document
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.recommend.interactions import ORDER
from lakehouse.rules.vocabulary import READERS, prepared

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """`identifier`: by which they are asked about; None = nobody can be known by it. `missing`: what could not be read, in words; the answer is degraded by it.

    also: profiles of other identifiers that came along: two people by what the lake knows, and what is said reaches both.
    parts: where the lake does not know them for one person, each that they may be; () = they are one, `profile` and `recent`.
    zone: in which time zone they are; None = they never said one, or it was not looked up.
    """

    identifier: Identifier | None
    profile: OnlineProfile | None
    recent: RecentBehaviour
    is_suppressed: bool = False
    units: Units = field(default=Units())
    missing: tuple[str, ...] = field(default=())
    also: tuple[OnlineProfile, ...] = field(default=())
    parts: tuple[Part, ...] = field(default=())
    zone: str | None = None

    @property
    def unit(self) -> str:
        """Whom experiments and the log count: as whom they were counted first; else the profile, or the visitor while there is none."""
        if self.units.first is not None:
            return self.units.first.unit
        return self.name if self.profile is None else self.profile.profile_id

    @property
    def name(self) -> str:
        """What was asked for: the same whether or not the profile can be read."""
        return ":".join(self.identifier) if self.identifier else "nobody"

    @property
    def last_bought(self) -> Mapping[str, int]:
        """Products of the person's orders, those of just now among them, and when each was ordered last, UTC milliseconds."""
        found = dict(self.profile.last_bought) if self.profile else {}
        for one in self.recent.actions:
            if one.kind == ORDER:
                found[one.product_id] = max(one.at_ms, found.get(one.product_id, one.at_ms))
        return found

    @property
    def shown_on(self) -> str | None:
        """The timeline where it is written down what this visitor was shown."""
        return None if self.identifier is None else key_of(EXPOSED, self.identifier)

    def consent(self, defaults: Defaults) -> Mapping[str, bool]:
        """Of every declared purpose what holds: what was said just now, then the profile's word, then what is assumed where they are.

        Nothing is allowed while the profile cannot be read: nobody knows what they said. What any of `parts` refused is not.
        """
        if self.missing:
            return dict.fromkeys(defaults.purposes, False)
        known = [one for one in (self.profile, *self.also) if one is not None]
        places = sorted({place for one in known for place in one.figures.get("jurisdictions") or ()})
        words = {purpose: self.said(purpose) for purpose in defaults.purposes}
        return {
            purpose: (self._was_never_asked and defaults.allows(purpose, places)) if word is None else word
            for purpose, word in words.items()
        }

    def said(self, purpose: str) -> bool | None:
        """What holds of what they said of the purpose, as any of `parts`; None = nothing was said of it."""
        return most_restrictive(one.said(purpose) for one in self.parts or (Part(self.profile, self.recent),))

    @property
    def _was_never_asked(self) -> bool:
        """Who has just answered was asked, and did not allow what they said nothing of. A signal of a browser is no answer."""
        told = (self.recent, *(one.recent for one in self.parts))
        return not any(one.asked_ms is not None or one.consent.keys() - one.consent_ms.keys() for one in told)


def suppression_key(identifier: Identifier) -> str:
    """Of the document that says that whoever has this identifier is to be left alone. Kept: lakehouse/online/engines.py."""
    return f"suppressed:{identifier[0]}:{identifier[1]}"


def everybody_with(identifiers: Iterable[Identifier], profiles: Iterable[OnlineProfile | None]) -> list[Identifier]:
    """The identifiers given, and those of the profiles, each once; None = nobody's."""
    owned = (own for profile in profiles if profile is not None for own in profile.identifiers)
    return list(dict.fromkeys((*identifiers, *owned)))


def suppression(identifier: Identifier, at: datetime, *, is_suppressed: bool) -> Document:
    """What was said of the identifier at that time; an older word never replaces a newer one."""
    return Document(suppression_key(identifier), int(at.timestamp() * 1000), b"1" if is_suppressed else None)


def is_suppressed(profiles: Iterable[OnlineProfile | None], words: Iterable[bytes | None]) -> bool:
    """Whether a person is to be left alone: by a profile, or by the document of any identifier of `everybody_with`: `words`."""
    by_lake = any(bool(profile.figures["is_suppressed"]) for profile in profiles if profile is not None)
    return by_lake or any(word is not None for word in words)


_OF_PROFILE = tuple(column.name for column in GOLD_ACTIVATION.columns if column.term is not None)
_HERE = ("page_type", "device", "product_id", "category", "price")


def context_of(
    visitor: Visitor,
    here: Mapping[str, Any],
    *,
    now: datetime,
    event: Mapping[str, Any] | None = None,
    segment: str | None = None,
    features: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """The vocabulary of rules, filled and prepared. Of `features` only those are computed that somebody reads. `here`: page_type, device, product_id, category, price of the request.

    `event`: event_type, event_name, product_id, category, price and occurred_at of the event that is decided on.
    `segment`: what the caller says, where the profile has none.
    """
    context: dict[str, object] = {name: here.get(name) for name in _HERE}
    profile = visitor.profile
    if profile is not None:
        context |= {name: profile.figures[name] for name in _OF_PROFILE}
    context["is_known"] = profile is not None and profile.is_known
    context |= visitor.recent.columns()
    context |= {f"consent_{purpose}": visitor.said(purpose) for purpose in PURPOSES}
    if event is not None:
        context |= {name: value for name, value in event.items() if value is not None}
    if context.get("segment") is None:
        context["segment"] = segment
    context["now"] = now
    return _Context(prepared(context), features)


class _Context(dict[str, object]):
    """A prepared context; a feature gets into it when a rule reads it. One that is not declared any more is null."""

    def __init__(self, prepared: Mapping[str, object], features: Mapping[str, object]) -> None:
        super().__init__(prepared)
        self._features = features

    def __missing__(self, name: str) -> object:
        found = self[name] = _read(self._features.get(name))
        return found


def _read(value: object) -> object:
    """A feature as rules compute with it."""
    if value is None or isinstance(value, str):
        return value
    return READERS["time" if isinstance(value, datetime) else "number"](value)


def features_of(profile: OnlineProfile | None, features: Features, now: datetime) -> Mapping[str, object]:
    """The online features of the person, now; all None of somebody who is not known.

    The clock of whoever sent the newest event may be ahead of this one: that event is known.
    """
    if profile is None:
        return OnlineFeatures(features, dict, now)
    return OnlineFeatures(features, profile.read_sums, max(now, profile.figures["as_of"]))

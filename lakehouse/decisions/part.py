"""One of the people that a visitor may be, and what they said of consent. Pure.

Identifiers that come together may be of a profile and of a new cookie, or of two profiles. Until the lake has made them one, each is a part with
a word of its own, and of what the parts said last of a purpose one no is a no, whichever spoke later: as the lake will have it once it knows
that they are one (lakehouse/consent/standing.py). Who speaks under identifiers of all of them speaks as each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from lakehouse.config.limits import PURPOSES
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.recent_behaviour import RecentBehaviour, of_visitor, recent_behaviour
from lakehouse.online.store import Entry

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OF_CONSENT = b'"consent"'


class Part(NamedTuple):
    """profile: None = the lake knows nobody by these identifiers. recent: what was said by them lately."""

    profile: OnlineProfile | None
    recent: RecentBehaviour

    def said(self, purpose: str) -> bool | None:
        """What holds of what they said of the purpose; None = nothing was said of it."""
        just_now = self.recent.consent.get(purpose)
        if just_now is not None and self._is_news(purpose):
            return just_now
        return None if self.profile is None else word_in(self.profile.figures, purpose)

    def _is_news(self, purpose: str) -> bool:
        """Whether the word came after all words on this purpose that the profile was made from. An older one is in it, and need not hold any more:
        people became one. Words on other purposes say nothing of that: this one may come late, and be in no profile yet.
        """
        said_ms = self.recent.consent_ms.get(purpose)
        at = None if self.profile is None else _said_at(self.profile.figures, purpose)
        return said_ms is None or at is None or said_ms > (at - _EPOCH) // _MILLISECOND


def most_restrictive(words: Iterable[bool | None]) -> bool | None:
    """Of several people's words on one purpose; None = nobody spoke of it."""
    said = [word for word in words if word is not None]
    return all(said) if said else None


def parts_of(
    owners: Mapping[Identifier, OnlineProfile | None],
    entries_of: Callable[[Identifier], Sequence[Entry]],
    now: datetime,
) -> tuple[Part, ...]:
    """The parts of a visitor; () where the lake knows them for one person, and nobody else has spoken.

    Args:
        owners: of each identifier that they came under; None = nobody's.
        entries_of: what was said under an identifier lately. Asked of all identifiers of all owners, where they are several.
        now: UTC.
    """
    if len({None if one is None else one.profile_id for one in owners.values()}) < 2 and None not in owners.values():
        return ()
    theirs = {identifier: one for one in owners.values() if one is not None for identifier in one.identifiers}
    all_owners: dict[Identifier, OnlineProfile | None] = {**theirs, **owners}
    timelines = {identifier: entries_of(identifier) for identifier in all_owners}
    members: dict[str, list[Identifier]] = {}
    profiles: dict[str, OnlineProfile | None] = {}
    for identifier, profile in all_owners.items():
        if profile is None and not any(_OF_CONSENT in entry.value for entry in timelines[identifier]):
            continue
        name = ":".join(identifier) if profile is None else profile.profile_id
        members.setdefault(name, []).append(identifier)
        profiles[name] = profile
    if len(members) < 2:
        return ()
    everybody = of_visitor([entry for each in timelines.values() for entry in each], timelines)
    words = {entry.id for entry in everybody if _OF_CONSENT in entry.value}

    def recent(identifiers: Iterable[Identifier]) -> RecentBehaviour:
        return recent_behaviour((entry for one in identifiers for entry in timelines[one] if entry.id in words), now)

    return tuple(Part(profiles[name], recent(identifiers)) for name, identifiers in members.items())


def word_in(figures: Mapping[str, Any], purpose: str) -> bool | None:
    """What a row of gold.activation says of a purpose; None = nothing."""
    if purpose in PURPOSES:
        word: bool | None = figures[f"consent_{purpose}"]
        return word
    if purpose in (figures.get("also_refused") or ()):
        return False
    return True if purpose in (figures.get("also_allowed") or ()) else None


def _said_at(figures: Mapping[str, Any], purpose: str) -> datetime | None:
    """When anybody of the profile spoke of the purpose last. A row of a release that did not keep it by purpose says when they spoke of any."""
    by_purpose: Mapping[str, datetime] | None = figures.get("consent_said")
    at: datetime | None = figures.get("consent_said_at") if by_purpose is None else by_purpose.get(purpose)
    return at

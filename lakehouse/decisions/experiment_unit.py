"""As whom experiments count a person: the name they were first decided on under, whoever they turn out to be. Pure.

An arm follows from the unit. A visitor who gets a profile, logs in or is merged with another would change it with every new name;
so the first name is kept, at every identifier they come back under and at their profile. Of several, as after a merge, the one
that was told first holds. Source of the rule: Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments (2020), chapter 14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.store import Document

_VERSION = 1  # of every document: what was told first is never written over


class FirstUnit(NamedTuple):
    """When a person was first counted, in milliseconds since 1970, and as whom."""

    at_ms: int
    unit: str


def unit_key(identifier: Identifier) -> str:
    """Of the document that says as whom whoever has this identifier was first counted. Kept: lakehouse/online/engines.py."""
    return f"unit:{identifier[0]}:{identifier[1]}"


def unit_keys(identifiers: Sequence[Identifier], profile: OnlineProfile | None) -> list[str]:
    """Everywhere it may be told of a person. The profile has a key of its own: it holds fewer identifiers than a person may have."""
    own = [] if profile is None else [unit_key(("profile_id", profile.profile_id))]
    return [*map(unit_key, identifiers), *own]


@dataclass(frozen=True)
class Units:
    """What is told of a person. first: None = they were never counted. untold: keys at which it is not told."""

    first: FirstUnit | None = None
    untold: tuple[str, ...] = ()

    def to_tell(self, unit: str, at_ms: int) -> list[Document]:
        """What is to be written so that they stay `unit`, who they are counted as now."""
        first = self.first or FirstUnit(at_ms, unit)
        return [Document(key, _VERSION, orjson.dumps([*first])) for key in self.untold]


def units_told(keys: Sequence[str], documents: Mapping[str, bytes | None]) -> Units:
    """`keys`: of `unit_keys`. `documents`: what is held at them. It is told where they ask, and at the profile."""
    held = {key: documents[key] for key in keys}
    first = min((FirstUnit(*orjson.loads(data)) for data in held.values() if data is not None), default=None)
    return Units(first, tuple(key for key in dict.fromkeys((keys[0], keys[-1])) if held[key] is None))

"""Whom an export may tell of, as of now: the one gate, asked with what gold says of a person and what was told to the service since.

Asked when a run is planned, of everybody, so that who withdrew is removed; and again of each row right before it is sent. Gold's words
are read again when gold has changed. A suppression that the service took and the lake has not read yet is found by its identifier.
Where only some profiles are asked for, nobody else's words are read.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.circumstances import Circumstances, DecisionInputs, circumstances_at_rest
from lakehouse.decisions.experiment_unit import Units, unit_key, units_told
from lakehouse.decisions.gate import Permitted, Refused, Use, permit
from lakehouse.decisions.offers import Purpose
from lakehouse.decisions.visitor import Visitor
from lakehouse.exports.elapsed import has_passed
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.recent_behaviour import RecentBehaviour
from lakehouse.online.store import OnlineStore
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

NO_PROFILE = "no such profile any more"
LOOK = timedelta(seconds=5)
_OWNERS = timedelta(seconds=60)  # whose identifiers are suppressed is looked up so often at least: the graph changes
_SUPPRESSED = "suppressed:"
_WORDS = (
    *("profile_id", *(f"consent_{purpose}" for purpose in PURPOSES)),
    *("also_allowed", "also_refused", "jurisdictions", "is_suppressed"),
)
_NOTHING_RECENT = RecentBehaviour(consent={}, exposures={})
_UNCOUNTED = Units()
T = TypeVar("T")


class Tables(Protocol):
    """Where gold and the identity graph are read; see lakehouse/exports/source.py."""

    def version(self, table: Table) -> str: ...
    def rows(self, table: Table, columns: Sequence[str]) -> pa.Table: ...
    def rows_with(self, table: Table, columns: Sequence[str], column: str, values: Collection[str]) -> pa.Table: ...


class _Said(NamedTuple):
    """words: what consent goes by, of _WORDS, in their order."""

    words: tuple[Hashable, ...]
    is_suppressed: bool


class Permission:
    """Of one export, or of one purpose of audiences. `kept`: as of lakehouse/online/engines.py. `inputs`: what holds for everybody alike."""

    def __init__(
        self,
        gold: Tables,
        kept: OnlineStore,
        inputs: DecisionInputs,
        *,
        purpose: Purpose,
        use: Use,
        clock: Callable[[], datetime],
    ) -> None:
        self._gold, self._kept, self._inputs = gold, kept, inputs
        self._purpose, self._use, self._clock = purpose, use, clock
        self._version: str | None = None
        self._looked_at = clock()
        self._asks_experiments = self._experiments_ask()
        self._said: Mapping[str, _Said] = {}
        self._said_of: frozenset[str] | None = frozenset()  # whose words were read; None = everybody's
        self._told: frozenset[str] = frozenset()
        self._told_at: datetime | None = None
        self._named: frozenset[tuple[str, ...]] = frozenset()
        self._owners_at: datetime | None = None
        # Without experiments whoever said the same has the same circumstances, but for who it is. As of the last look.
        self._alike: dict[tuple[_Said, bool], Circumstances] = {}

    def look(self, profiles: Collection[str] | None = None) -> None:
        """Take in what was said since. `profiles`: by these alone, nobody else is permitted until the next look; None = by everybody.

        Raises:
            StoreError, ExportError: nobody knows; then nothing may be told of anybody.
        """
        asked = None if profiles is None else frozenset(profiles)
        version = self._gold.version(GOLD_ACTIVATION)
        if version != self._version or not _covers(self._said_of, asked):
            rows = (
                self._gold.rows(GOLD_ACTIVATION, _WORDS)
                if asked is None
                else self._gold.rows_with(GOLD_ACTIVATION, _WORDS, "profile_id", asked)
            )
            self._said, self._said_of, self._version = _words(rows), asked, version
        self._look_at_suppressions()

    def suppressed_since(self) -> frozenset[str]:
        """Profiles that the service was told to leave alone, whether the lake has read it or not. Raises StoreError."""
        self._look_at_suppressions()
        return self._told

    def _look_at_suppressions(self) -> None:
        now = self._looked_at = self._clock()
        self._asks_experiments = self._experiments_ask()
        self._alike.clear()
        if not has_passed(self._told_at, now, LOOK):
            return
        named = frozenset(tuple(key.removeprefix(_SUPPRESSED).split(":", 1)) for key, _ in self._kept.scan(_SUPPRESSED))
        if named != self._named or has_passed(self._owners_at, now, _OWNERS):
            self._told, self._named, self._owners_at = frozenset(self._owners(named)), named, now
        self._told_at = now

    def _experiments_ask(self) -> bool:
        """Whether they may keep something from somebody, as of the last look."""
        return self._inputs.experiments is not None and self._inputs.experiments.ask(self._looked_at)

    def permit(self, what: T, profile_id: str, units: Mapping[str, Units]) -> Permitted[T] | Refused:
        """Let it pass as of the last `look`, or say why not. `units`: as `units` gives them."""
        said = self._said.get(profile_id)
        if said is None:
            return Refused(NO_PROFILE)
        circumstances = self._circumstances(profile_id, said, units.get(profile_id, _UNCOUNTED))
        return permit(what, circumstances, self._purpose, self._use)

    def refused(self, profiles: Iterable[str]) -> dict[str, str]:
        """Why nothing may be told of them, of those of whom that is so. Without experiments whoever said the same has the same answer."""
        asked = list(dict.fromkeys(profiles))
        units = self.units(asked)
        counts = self._asks_experiments
        answers: dict[Hashable, str | None] = {}
        found: dict[str, str] = {}
        for one in asked:
            alike: Hashable = one if counts else (self._said.get(one), one in self._told)
            if alike not in answers:
                verdict = self.permit(None, one, units)
                answers[alike] = verdict.reason if isinstance(verdict, Refused) else None
            if (reason := answers[alike]) is not None:
                found[one] = reason
        return found

    def units(self, profiles: Collection[str]) -> dict[str, Units]:
        """As whom experiments count them first; only asked where any experiment might keep something from somebody."""
        if not self._asks_experiments:
            return {}
        keys = [unit_key(("profile_id", one)) for one in profiles]
        documents = dict(zip(keys, self._kept.get(keys), strict=True))
        return {one: units_told([key], documents) for one, key in zip(profiles, keys, strict=True)}

    def _circumstances(self, profile_id: str, said: _Said, units: Units) -> Circumstances:
        figures = dict(zip(_WORDS[1:], (*said.words, said.is_suppressed), strict=True))
        profile = OnlineProfile(
            profile_id=profile_id, version=0, identifiers=(), bought=(), bought_at=(), is_known=True, figures=figures
        )
        visitor = Visitor(
            identifier=None,
            profile=profile,
            recent=_NOTHING_RECENT,
            is_suppressed=said.is_suppressed or profile_id in self._told,
            units=units,
        )
        if self._asks_experiments:
            return circumstances_at_rest(visitor, self._inputs, now=self._looked_at)
        alike = self._alike.get((said, visitor.is_suppressed))
        if alike is None:
            alike = circumstances_at_rest(visitor, self._inputs, now=self._looked_at)
            self._alike[said, visitor.is_suppressed] = alike
        return alike._replace(visitor=visitor)

    def _owners(self, named: Collection[tuple[str, ...]]) -> Iterable[str]:
        """Profiles of these identifiers."""
        if not named:
            return ()
        columns = ("actor_id", "identifier_type", "identifier_token")
        edges = self._gold.rows_with(SILVER_IDENTITY_EDGES, columns, "identifier_token", {token for _, token in named})
        pairs = zip(edges["identifier_type"].to_pylist(), edges["identifier_token"].to_pylist(), strict=True)
        actors = edges.filter(pa.array([pair in named for pair in pairs], pa.bool_()))["actor_id"]
        profiles = self._gold.rows_with(
            SILVER_IDENTITY_MAP, ("actor_id", "profile_id"), "actor_id", set(actors.to_pylist())
        )
        found: list[str] = pc.unique(profiles["profile_id"]).to_pylist()
        return found


def _covers(read: frozenset[str] | None, asked: frozenset[str] | None) -> bool:
    return read is None or (asked is not None and asked <= read)


def _words(rows: pa.Table) -> dict[str, _Said]:
    """By profile. Who said the same shares it: of a million people there are few different ones."""
    columns = [rows[name].to_pylist() for name in _WORDS]
    shared: dict[_Said, _Said] = {}
    said: dict[str, _Said] = {}
    for profile_id, *words, is_suppressed in zip(*columns, strict=True):
        one = _Said(tuple(tuple(one) if isinstance(one, list) else one for one in words), bool(is_suppressed))
        said[profile_id] = shared.setdefault(one, one)
    return said

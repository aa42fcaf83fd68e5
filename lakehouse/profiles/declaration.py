"""How a table of profiles is declared: contract and transform in one value. What is declared is kept, rebuilt, checked, repaired.

A transform is pure. Its parameters are the tables it is handed, named `<layer>_<table>`; nothing else is in its reach, so what
a table reads is its transform's signature. After a `*` it may ask for what is no table:

    profiles    the profiles in question: profile_id, and as_of, the event time their figures are taken at
    champions   the models in force
    config      the configuration
    rulings     profile_id and ruled: whose word of consent holds where a profile contradicts itself, see lakehouse/consent/rulings.py
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pyspark.sql import Column, DataFrame

from lakehouse.errors import ContractError
from lakehouse.matching.model import MatchModel
from lakehouse.tables.contract import KAFKA, Table
from lakehouse.tables.people import By, Nobody, Way, by

if TYPE_CHECKING:  # the service reads declarations, and needs nothing that writes tables
    import pyarrow as pa

    from lakehouse.lake.delta import Lake
    from lakehouse.lake.transaction import Transaction

RULINGS = "rulings"
GIVEN = ("profiles", "champions", "config", RULINGS)
EVENTS_QUERY = "streaming/events.py"


class ProspectChampion(Protocol):
    """What the segments model says of profiles without orders, over `rollup.visits` and `as_of`."""

    def place(self) -> Column: ...


class SegmentChampion(Protocol):
    """The segments model, over rows of gold.rfm and `as_of`: what holds then, and when it is another."""

    @property
    def version(self) -> str: ...
    @property
    def prospects(self) -> ProspectChampion | None: ...
    def quintiles(self) -> Mapping[str, Column]: ...
    def quintiles_due_at(self) -> Column: ...
    def place(self) -> Column: ...


class ScoreChampion(Protocol):
    """A model of one score, over the features of lakehouse/features/point_in_time.py."""

    @property
    def version(self) -> str: ...
    @property
    def value(self) -> Column: ...


@runtime_checkable
class Explaining(Protocol):
    """A model of one score that says why, over the same features: array<string>."""

    @property
    def reasons(self) -> Column: ...


@runtime_checkable
class Correctable(Protocol):
    """A model of one score that may be corrected by groups: lakehouse/fairness/correction.py. corrects: column of the groups; empty = it is not."""

    @property
    def corrects(self) -> str: ...
    def value_of(self, group: Column) -> Column: ...


class ChampionModels(Protocol):
    """The models in force. `scores`: by the column of gold.scores; one that is not there has no champion.

    `absent`: models that are known to have none. One whose registry could not be asked is neither there nor absent.
    """

    @property
    def segments(self) -> SegmentChampion | None: ...
    @property
    def scores(self) -> Mapping[str, ScoreChampion]: ...
    @property
    def matcher(self) -> MatchModel | None: ...
    @property
    def versions(self) -> Mapping[str, str]: ...
    @property
    def absent(self) -> Collection[str]: ...
    def refresh(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class LeafTable(Table):
    """A silver table kept from leaf rows alone, see lakehouse/profiles/silver/activity_daily.py.

    transform: leaf rows -> its rows. merge: takes in the leaf rows of a micro-batch, few of them on the driver, once; returns the actors beside those of the
    batch whose profiles it changed. sent_in: the lists of a leaf row that hold what it is made of; () = any leaf row.
    look_up: rows of actors, where that is cheaper than reading the table of a lake on this machine; None = it is not.
    """

    transform: Callable[[DataFrame], DataFrame]
    merge: "Callable[[Lake, DataFrame | pa.Table, Transaction], Collection[str]]"
    sent_in: tuple[str, ...] = ()
    look_up: "Callable[[Lake, Collection[str]], pa.Table] | None" = None
    owner: str = EVENTS_QUERY
    reads: tuple[str, ...] = (KAFKA,)


@dataclass(frozen=True, kw_only=True)
class ProfileTable(Table):
    """A gold table of profiles. Its key begins with profile_id, by which rows that the transform no longer gives are removed.

    needs: whether what the table is made with is there; while it is not, its rows are left as they are. Of a table with
    validity the transform gives what holds now, without valid_from and valid_to. revised: columns of such a table that may say
    something else while what holds goes on. passing: columns of such a table that are handed on to transforms of the same step, and nobody reads
    where they are stored: no row is written for their sake, and none is compared by them.
    """

    transform: Callable[..., DataFrame]
    needs: Callable[[ChampionModels], bool] = lambda _: True
    revised: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    owner: str = EVENTS_QUERY
    people: tuple[Way, ...] | Nobody | None = (by("profile_id", By.ACTOR),)

    def __post_init__(self) -> None:
        if self.key[0] != "profile_id":
            raise ContractError(f"{self.name}: key {self.key}, expected profile_id first: rows are removed by it")
        super().__post_init__()
        if self.reads:
            raise ContractError(f"{self.name}: reads {self.reads}, expected none: its transform says what it reads")
        given = [p.name for p in self._parameters if p.kind is p.KEYWORD_ONLY and p.name not in GIVEN]
        if given:
            raise ContractError(f"{self.name}: its transform asks for {given}, expected some of {GIVEN} after the *")
        object.__setattr__(self, "reads", tuple(p.replace("_", ".", 1) for p in self.handed))

    @property
    def told(self) -> list[str]:
        """Its content by which a row is another one."""
        return [name for name in self.content if name not in self.passing]

    @property
    def handed(self) -> tuple[str, ...]:
        """The tables its transform is handed, by parameter."""
        return tuple(p.name for p in self._parameters if p.kind is not p.KEYWORD_ONLY)

    @property
    def current_key(self) -> tuple[str, ...]:
        """What a row is known by while it holds: the key without valid_from."""
        return tuple(name for name in self.key if name != "valid_from")

    @property
    def given_columns(self) -> tuple[str, ...]:
        """What its transform gives: every column but the time of the write and validity."""
        return (*self.current_key, *self.content)

    @property
    def asks_for(self) -> tuple[str, ...]:
        """What its transform is given besides tables."""
        return tuple(p.name for p in self._parameters if p.kind is p.KEYWORD_ONLY)

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.transform).parameters.values())

    def rows(self, frames: Mapping[str, DataFrame], given: Mapping[str, Any]) -> DataFrame:
        """Its rows, from the frames its transform asks for and no other."""
        asked = {name: given[name] for name in self.asks_for}
        return self.transform(**{name: frames[name] for name in self.handed}, **asked)

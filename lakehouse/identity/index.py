"""The identity graph where a micro-batch can look it up: what it reads and writes is what it touches, however large the lake.

A local index (lakehouse/lake/local_index.py) of silver.identity_edges, silver.identity_map and what is open of
silver.identity_history, filled by lakehouse/profiles/stitching/identity_tables.py:

    numbers      actor_id -> actor number
    actors       actor number -> ActorRecord: its map row and its edges
    carriers     identifier -> the actors that carry it, the oldest first, by (first_seen_at, actor_id), with their numbers
    components   actor number that names a component -> numbers of the actors in it
    since        actor number -> when it came to its profile
    meta         stamp, and the latest time written to the tables

An actor is a number, given once, in the order actors turn up; so what a stream adds lands together. A record is JSON:
compact enough, and written and read in C.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import lmdb
import pandas as pd

from lakehouse.events.identifier import Identifier
from lakehouse.lake.local_index import Flags, LocalIndex

FORMAT = 3
_DUPLICATES: Flags = {"dupsort": True, "dupfixed": True, "integerdup": True}
_NUMBER = struct.Struct("=Q")  # LMDB's integer keys are of the machine's own byte order
_AGE = struct.Struct(">Q")  # in the order of bytes
_EPOCH = 2**63  # so that times before 1970 come first
_EDGE_KEY = ("actor_id", "identifier_type", "identifier_token")
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class ActorRecord:
    """One actor. `place`: [profile, component, first_seen_at, cause] of its map row, the first two as actor numbers; None
    while it has no map row. edges: (type, token) -> [kind, weight, first_seen_at]. Times are microseconds since 1970.
    """

    actor_id: str
    place: list[int | str | None] | None = None
    edges: dict[Identifier, list[str | float | int]] = field(default_factory=dict)

    @property
    def component(self) -> int | None:
        return None if self.place is None else int(str(self.place[1]))

    def encode(self) -> bytes:
        edges = [[*identifier, *facts] for identifier, facts in self.edges.items()]
        return _encode([self.actor_id, self.place, edges]).encode()

    @classmethod
    def decode(cls, data: bytes) -> "ActorRecord":
        actor_id, place, edges = json.loads(data)
        return cls(actor_id, place, {(edge[0], edge[1]): edge[2:] for edge in edges})


class Carrier(NamedTuple):
    """An actor that carries an identifier; sorts by age."""

    first_seen_at: int
    actor_id: str
    number: int

    def encode(self) -> bytes:
        # The number's first byte is 0, less than any of an actor_id: so a shorter id comes before those it begins.
        return _AGE.pack(self.first_seen_at + _EPOCH) + self.actor_id.encode() + _AGE.pack(self.number)

    @classmethod
    def decode(cls, data: bytes) -> "Carrier":
        (seen,), (number,) = _AGE.unpack(data[: _AGE.size]), _AGE.unpack(data[-_AGE.size :])
        return cls(seen - _EPOCH, data[_AGE.size : -_AGE.size].decode(), number)


@dataclass(frozen=True, kw_only=True)
class Databases:
    """The maps of one index."""

    numbers: "lmdb._Database"
    actors: "lmdb._Database"
    carriers: "lmdb._Database"
    since: "lmdb._Database"
    components: "lmdb._Database"


class IndexReader:
    """Lookups in one transaction of the index."""

    def __init__(self, databases: Databases, transaction: lmdb.Transaction) -> None:
        self._databases = databases
        self._transaction = transaction
        self._carriers = transaction.cursor(db=databases.carriers)
        self._components = transaction.cursor(db=databases.components)

    def number(self, actor_id: str) -> int | None:
        key = self._transaction.get(actor_id.encode(), db=self._databases.numbers)
        return None if key is None else number_of(bytes(key))

    def record(self, number: int) -> ActorRecord | None:
        data = self._transaction.get(number_key(number), db=self._databases.actors)
        return None if data is None else ActorRecord.decode(bytes(data))

    def since(self, number: int) -> int | None:
        """When the actor came to its profile, microseconds since 1970; None while history does not say."""
        since = self._transaction.get(number_key(number), db=self._databases.since)
        return None if since is None else number_of(bytes(since))

    def records(self) -> Iterator[tuple[int, ActorRecord]]:
        """Every actor there is."""
        for key, data in self._transaction.cursor(db=self._databases.actors):
            yield number_of(bytes(key)), ActorRecord.decode(bytes(data))

    def degree(self, identifier: Identifier) -> int:
        """How many actors carry it."""
        return self._carriers.count() if self._carriers.set_key(identifier_key(identifier)) else 0

    def carriers(self, identifier: Identifier, most: int | None = None) -> list[Carrier]:
        """The actors that carry it, the oldest first, `most` of them at most."""
        if not self._carriers.set_key(identifier_key(identifier)):
            return []
        return [Carrier.decode(bytes(data)) for data in islice(self._carriers.iternext_dup(), most)]

    def placed_carriers(self, identifier: Identifier, most: int) -> int:
        """How many of the actors that carry it have a map row; counted no further than `most`."""
        count = 0
        if self._carriers.set_key(identifier_key(identifier)):
            for data in self._carriers.iternext_dup():
                record = self.record(Carrier.decode(bytes(data)).number)
                count += record is not None and record.place is not None
                if count >= most:
                    break
        return count

    def in_component(self, number: int) -> list[int]:
        """The actors of the component the numbered actor names."""
        if not self._components.set_key(number_key(number)):
            return []
        return numbers_of(map(bytes, self._components.iternext_dup()))


class IndexWriter(IndexReader):
    """Changes in one transaction of the index."""

    def __init__(self, databases: Databases, transaction: lmdb.Transaction) -> None:
        super().__init__(databases, transaction)
        last = transaction.cursor(db=databases.actors)
        self._next = number_of(bytes(last.key())) + 1 if last.last() else 0
        self._numbered: dict[str, int] = {}
        self._changed: dict[int, ActorRecord] = {}

    def put(
        self,
        map_rows: pd.DataFrame | None,
        edge_rows: pd.DataFrame | None,
        gone_edges: pd.DataFrame | None,
        history_rows: pd.DataFrame | None,
    ) -> None:
        if map_rows is not None:
            self._place(map_rows)
        if edge_rows is not None:
            self._add(edge_rows)
        if gone_edges is not None:
            self._remove(gone_edges)
        if history_rows is not None:
            self._date(history_rows)
        for number in sorted(self._changed):  # ascending: neighbours share a page
            self._transaction.put(number_key(number), self._changed[number].encode(), db=self._databases.actors)

    def _place(self, rows: pd.DataFrame) -> None:
        moves: list[tuple[int, int, int | None]] = []
        columns = [rows[name].tolist() for name in ("actor_id", "profile_id", "component_id")]
        for actor, profile, component, seen, cause in zip(
            *columns, micros(rows["first_seen_at"]), or_none(rows["cause"]), strict=True
        ):
            number, record = self._editable(actor)
            target = self._numbered_as(component)
            if record.component != target:
                moves.append((target, number, record.component))
            record.place = [self._numbered_as(profile), target, seen, cause]
        for target, number, source in sorted(moves, key=lambda move: move[:2]):
            if source is not None and self._components.set_key_dup(number_key(source), number_key(number)):
                self._components.delete()
            self._components.put(number_key(target), number_key(number))

    def _add(self, rows: pd.DataFrame) -> None:
        ties = []
        columns = [
            rows[name].tolist() for name in ("actor_id", "identifier_type", "identifier_token", "kind", "weight")
        ]
        for actor, type_, token, kind, weight, seen in zip(*columns, micros(rows["first_seen_at"]), strict=True):
            number, record = self._editable(actor)
            before = record.edges.get((type_, token))
            if before is None or before[2] != seen:
                self._untie(number, record, (type_, token))
                ties.append((identifier_key((type_, token)), Carrier(seen, actor, number).encode()))
            record.edges[type_, token] = [kind, weight, seen]
        ties.sort()
        self._carriers.putmulti(ties)

    def _remove(self, rows: pd.DataFrame) -> None:
        for actor, *identifier in zip(*(rows[name].tolist() for name in _EDGE_KEY), strict=True):
            number, record = self._editable(actor)
            self._untie(number, record, (identifier[0], identifier[1]))
            record.edges.pop((identifier[0], identifier[1]), None)

    def _untie(self, number: int, record: ActorRecord, identifier: Identifier) -> None:
        """Take the actor from among the identifier's carriers, if it is there."""
        if (facts := record.edges.get(identifier)) is not None:
            carrier = Carrier(int(facts[2]), record.actor_id, number)
            if self._carriers.set_key_dup(identifier_key(identifier), carrier.encode()):
                self._carriers.delete()

    def _date(self, rows: pd.DataFrame) -> None:
        numbers = map(self._numbered_as, rows["actor_id"].tolist())
        for number, since in sorted(zip(numbers, micros(rows["valid_from"]), strict=True)):
            self._transaction.put(number_key(number), number_key(since), db=self._databases.since)

    def _editable(self, actor_id: str) -> tuple[int, ActorRecord]:
        number = self._numbered_as(actor_id)
        if number not in self._changed:
            self._changed[number] = self.record(number) or ActorRecord(actor_id)
        return number, self._changed[number]

    def _numbered_as(self, actor_id: str) -> int:
        """Its number; a new one where it has none, even before its own row has come."""
        number = self._numbered.get(actor_id)
        if number is None:
            number = self.number(actor_id)
            if number is None:
                number = self._next
                self._next += 1
                self._transaction.put(actor_id.encode(), number_key(number), db=self._databases.numbers)
                self._changed[number] = ActorRecord(actor_id)
            self._numbered[actor_id] = number
        return number


class Index(LocalIndex):
    """See the module."""

    MAPS: ClassVar = {
        "numbers": {},
        "actors": {"integerkey": True},
        "carriers": {"dupsort": True},
        "since": {"integerkey": True},
        "components": {"integerkey": True, **_DUPLICATES},
    }

    @property
    def _databases(self) -> Databases:
        return Databases(**{name: self._maps[name] for name in self.MAPS})

    @contextmanager
    def reading(self) -> Iterator[IndexReader]:
        """One consistent state."""
        with self.transaction() as transaction:
            yield IndexReader(self._databases, transaction)

    def write(
        self,
        *,
        map_rows: pd.DataFrame | None = None,
        edge_rows: pd.DataFrame | None = None,
        gone_edges: pd.DataFrame | None = None,
        history_rows: pd.DataFrame | None = None,
        stamp: str | None = None,
        latest: int | None = None,
    ) -> None:
        """Set rows by key, in one transaction.

        Args:
            map_rows: rows of silver.identity_map.
            edge_rows: rows of silver.identity_edges.
            gone_edges: edges to forget, by key.
            history_rows: rows of silver.identity_history that are open.
            stamp: the state of the tables this brings the index to; None = an unfinished one.
            latest: the latest time ever written to the tables, microseconds.
        """

        def put(transaction: lmdb.Transaction) -> None:
            IndexWriter(self._databases, transaction).put(map_rows, edge_rows, gone_edges, history_rows)

        self.commit(put, stamp=stamp, **({} if latest is None else {"latest": latest}))


def micros(times: pd.Series) -> list[int]:
    """Timestamps, UTC or naive, as microseconds since 1970."""
    plain = times.dt.tz_convert(None) if getattr(times.dtype, "tz", None) is not None else times
    return plain.astype("datetime64[us]").astype("int64").tolist()


def or_none(values: pd.Series) -> list[Any]:
    """The values, None for each that is missing."""
    return [None if value is None or value != value else value for value in values.tolist()]


def numbers(reader: IndexReader, actor_ids: Iterable[str]) -> set[int]:
    """The numbers of those that are known."""
    return {number for actor_id in actor_ids if (number := reader.number(actor_id)) is not None}


def number_key(number: int) -> bytes:
    return _NUMBER.pack(number)


def number_of(key: bytes) -> int:
    return int(_NUMBER.unpack(key)[0])


def numbers_of(keys: Iterable[bytes]) -> list[int]:
    return [number for (number,) in _NUMBER.iter_unpack(b"".join(keys))]


def identifier_key(identifier: Identifier) -> bytes:
    """16 bytes: a token may be longer than a key of LMDB. Two identifiers that shared one would only be read together."""
    type_, token = identifier
    return blake2b(f"{len(type_)}:{type_}{token}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

"""Reading and writing the index of the identity graph, in one transaction: see lakehouse/identity/index.py."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import lmdb
import pandas as pd

from lakehouse.identity.identifier import Identifier
from lakehouse.identity.records import Record, identifier_key, number_key, number_of, numbers_of


@dataclass(frozen=True, kw_only=True)
class Databases:
    """The maps of one index."""

    numbers: "lmdb._Database"
    actors: "lmdb._Database"
    carriers: "lmdb._Database"
    since: "lmdb._Database"
    components: "lmdb._Database"


class Reader:
    """Lookups in one transaction of the index."""

    def __init__(self, databases: Databases, transaction: lmdb.Transaction) -> None:
        self._databases = databases
        self._transaction = transaction
        self._carriers = transaction.cursor(db=databases.carriers)
        self._components = transaction.cursor(db=databases.components)

    def number(self, actor_id: str) -> int | None:
        found = self._transaction.get(actor_id.encode(), db=self._databases.numbers)
        return None if found is None else number_of(bytes(found))

    def record(self, number: int) -> Record | None:
        found = self._transaction.get(number_key(number), db=self._databases.actors)
        return None if found is None else Record.decode(bytes(found))

    def since(self, number: int) -> int | None:
        """When the actor came to its profile, microseconds since 1970; None while history does not say."""
        found = self._transaction.get(number_key(number), db=self._databases.since)
        return None if found is None else number_of(bytes(found))

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every actor there is."""
        for key, data in self._transaction.cursor(db=self._databases.actors):
            yield number_of(bytes(key)), Record.decode(bytes(data))

    def degree(self, identifier: Identifier) -> int:
        """How many actors carry it."""
        return self._carriers.count() if self._carriers.set_key(identifier_key(identifier)) else 0

    def carriers(self, identifier: Identifier) -> list[int]:
        if not self._carriers.set_key(identifier_key(identifier)):
            return []
        return numbers_of(map(bytes, self._carriers.iternext_dup()))

    def placed_carriers(self, identifier: Identifier, most: int) -> int:
        """How many of the actors that carry it have a map row; counted no further than `most`."""
        count = 0
        if self._carriers.set_key(identifier_key(identifier)):
            for key in self._carriers.iternext_dup():
                record = self.record(number_of(bytes(key)))
                count += record is not None and record.place is not None
                if count >= most:
                    break
        return count

    def carries(self, number: int, identifier: Identifier) -> bool:
        return bool(self._carriers.set_key_dup(identifier_key(identifier), number_key(number)))

    def in_component(self, number: int) -> list[int]:
        """The actors of the component the numbered actor names."""
        if not self._components.set_key(number_key(number)):
            return []
        return numbers_of(map(bytes, self._components.iternext_dup()))


class Writer(Reader):
    """Changes in one transaction of the index."""

    def __init__(self, databases: Databases, transaction: lmdb.Transaction) -> None:
        super().__init__(databases, transaction)
        last = transaction.cursor(db=databases.actors)
        self._next = number_of(bytes(last.key())) + 1 if last.last() else 0
        self._numbered: dict[str, int] = {}
        self._changed: dict[int, Record] = {}

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
            *columns, micros(rows["first_seen_at"]), _or_none(rows["cause"]), strict=True
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
            if (type_, token) not in record.edges:
                ties.append((identifier_key((type_, token)), number_key(number)))
            record.edges[type_, token] = [kind, weight, seen]
        ties.sort()
        self._carriers.putmulti(ties)

    def _remove(self, rows: pd.DataFrame) -> None:
        for actor, *identifier in zip(*(rows[name].tolist() for name in _EDGE_KEY), strict=True):
            number, record = self._editable(actor)
            if record.edges.pop((identifier[0], identifier[1]), None) is not None and self._carriers.set_key_dup(
                identifier_key((identifier[0], identifier[1])), number_key(number)
            ):
                self._carriers.delete()

    def _date(self, rows: pd.DataFrame) -> None:
        numbers = map(self._numbered_as, rows["actor_id"].tolist())
        for number, since in sorted(zip(numbers, micros(rows["valid_from"]), strict=True)):
            self._transaction.put(number_key(number), number_key(since), db=self._databases.since)

    def _editable(self, actor_id: str) -> tuple[int, Record]:
        number = self._numbered_as(actor_id)
        if number not in self._changed:
            self._changed[number] = self.record(number) or Record(actor_id)
        return number, self._changed[number]

    def _numbered_as(self, actor_id: str) -> int:
        """Its number; a new one where it has none, even before its own row has come."""
        found = self._numbered.get(actor_id)
        if found is None:
            found = self.number(actor_id)
            if found is None:
                found = self._next
                self._next += 1
                self._transaction.put(actor_id.encode(), number_key(found), db=self._databases.numbers)
                self._changed[found] = Record(actor_id)
            self._numbered[actor_id] = found
        return found


_EDGE_KEY = ("actor_id", "identifier_type", "identifier_token")


def micros(times: pd.Series) -> list[int]:
    """Timestamps, UTC or naive, as microseconds since 1970."""
    plain = times.dt.tz_convert(None) if getattr(times.dtype, "tz", None) is not None else times
    return plain.astype("datetime64[us]").astype("int64").tolist()


def _or_none(values: pd.Series) -> Sequence[str | None]:
    return values.astype(object).where(values.notna(), None).tolist()


def numbers(reader: Reader, actor_ids: Iterable[str]) -> set[int]:
    """The numbers of those that are known."""
    return {found for actor_id in actor_ids if (found := reader.number(actor_id)) is not None}

"""What people are found by in tables: the ids of their events, orders and visits, and the Kafka records they came in.

silver.events says most of it. The rest is in the records: repeats, those that were rejected, those that no query has read yet. So bronze is
read again, whole, by the one reading there is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from lakehouse.events.event_rows import Declarations
from lakehouse.events.identifier import Identifier
from lakehouse.events.parse import parse
from lakehouse.lake.beginnings import beginning
from lakehouse.lake.delta import Lake
from lakehouse.people.person import Person
from lakehouse.profiles.rebuild import bronze_records
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.spark.arrow_function import arrow_function
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.people import By

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""
SHORTEST = 6  # characters of a value that is looked for in bytes nobody could read
REACHES = ("email", "phone")  # traits that are looked for there
_EVENT = ("message_id", "actor_id", "identifiers", "visitor_id", "order_id", *BRONZE_EVENTS.key)


@dataclass(frozen=True, kw_only=True)
class Traces:
    """By what columns say: value -> the number of the person, as they were given. records: of theirs."""

    values: Mapping[By, dict[str, int]] = field(default_factory=lambda: {one: {} for one in By})
    records: dict[Place, int] = field(default_factory=dict)

    def add(self, what: By, values: Iterable[str | None], number: int) -> None:
        for value in values:
            if value is not None:
                self.values[what].setdefault(value, number)


def traces(lake: Lake, people: Sequence[Person], declared: Declarations) -> Traces:
    """Of these people, as silver, quarantine and bronze are now."""
    found = Traces()
    owners: dict[Identifier, int] = {}
    for number, one in enumerate(people):
        found.add(By.ACTOR, one.actors, number)
        found.add(By.MATCH, one.matches, number)
        found.add(By.UNIT, one.units, number)
        found.add(By.BYTES, one.units, number)
        owners |= dict.fromkeys(one.own, number)
    _events(lake, found, owners)
    _orders(lake, found)
    _records(lake, found, owners, declared)
    return found


def _events(lake: Lake, found: Traces, owners: Mapping[Identifier, int]) -> None:
    """silver.events: of their actors, and what carries an identifier of theirs and is of no profile, as programs' events are."""
    for batch in lake.batches(SILVER_EVENTS, columns=_EVENT):
        if batch.num_rows == 0:  # PyArrow 25 dies when it looks for what is true among nothing
            continue
        for row, number in _theirs(pa.Table.from_batches([batch]), found, owners):
            found.add(By.ACTOR, [row["actor_id"]], number)
            found.add(By.UNIT, [row["actor_id"]], number)
            found.add(By.MESSAGE, [row["message_id"]], number)
            found.add(By.VISITOR, [row["visitor_id"]], number)
            found.add(By.ORDER, [row["order_id"]], number)
            found.records.setdefault((row["topic"], row["partition"], row["offset"]), number)


def _orders(lake: Lake, found: Traces) -> None:
    """silver.orders: what their events said, where the events have gone by age."""
    if beginning(lake, SILVER_EVENTS) is None:
        return
    actors = found.values[By.ACTOR]
    theirs = pa.array(list(actors), pa.string())
    for batch in lake.batches(SILVER_ORDERS, columns=("order_id", "statements")):
        if batch.num_rows == 0:  # as in _events
            continue
        statements = batch["statements"]
        order_ids = batch["order_id"].take(pc.list_parent_indices(statements))
        told = pa.table({"order_id": order_ids, "actor_id": pc.list_flatten(statements).field("actor_id")})
        for row in told.filter(pc.is_in(told["actor_id"], value_set=theirs)).to_pylist():
            found.add(By.ORDER, [row["order_id"]], actors[row["actor_id"]])


def _theirs(rows: pa.Table, found: Traces, owners: Mapping[Identifier, int]) -> Iterable[tuple[Mapping[str, Any], int]]:
    """The rows that are of one of them, and of whom."""
    actors, tokens = found.values[By.ACTOR], pa.array({token for _, token in owners}, pa.string())
    identifiers = rows["identifiers"].combine_chunks()
    carries = pc.is_in(pc.list_flatten(identifiers).field("token"), value_set=tokens)
    by_token = set(pc.list_parent_indices(identifiers).filter(carries).to_pylist())
    by_actor = pc.indices_nonzero(pc.is_in(rows["actor_id"], value_set=pa.array(list(actors), pa.string())))
    for row in rows.take(pa.array(sorted(by_token | set(by_actor.to_pylist())), pa.int64())).to_pylist():
        number = actors.get(row["actor_id"])
        if number is None:
            named = (owners.get((one["type"], one["token"])) for one in row["identifiers"])
            number = next((one for one in named if one is not None), None)
        if number is not None:
            yield row, number


def _records(lake: Lake, found: Traces, owners: Mapping[Identifier, int], declared: Declarations) -> None:
    """Bronze and quarantine: what carries an identifier of theirs, and what nobody could read and a value of theirs stands in."""
    texts = _texts(lake, found, owners)
    theirs = dict(found.values[By.ACTOR])

    def owner(identifiers: pa.Array, actors: pa.Array, values: pa.Array) -> pa.Array:
        told = zip(identifiers.to_pylist(), actors.to_pylist(), values.to_pylist(), strict=True)
        return pa.array([_owner(*one, theirs, owners, texts) for one in told], pa.int32())

    number = arrow_function(owner, "int")(*(F.col(name) for name in ("identifiers", "actor_id", "value")))
    renamed = {"quarantined_at": "arrived_at"}
    aside = lake.read(SILVER_EVENTS_QUARANTINE).withColumnsRenamed(renamed).withColumn("timestamp", F.col("arrived_at"))
    for records in (bronze_records(lake), aside):
        numbered = parse(records, lake.config, declared).select(*BRONZE_EVENTS.key, number.alias("number"))
        for *place, one in zip(*_columns(numbered.where("number IS NOT NULL").toArrow()), strict=True):
            found.records.setdefault((place[0], place[1], place[2]), one)


def _columns(rows: pa.Table) -> list[list[Any]]:
    return [rows[name].to_pylist() for name in rows.column_names]


def _owner(
    identifiers: Sequence[Mapping[str, str]] | None,
    actor: str | None,
    value: bytes | None,
    actors: Mapping[str, int],
    owners: Mapping[Identifier, int],
    texts: "Texts",
) -> int | None:
    if identifiers:
        named = (owners.get((one["type"], one["token"])) for one in identifiers)
        return actors.get(actor or "", next((one for one in named if one is not None), None))
    return None if value is None else texts.owner(value)


@dataclass(frozen=True)
class Texts:
    """Values that stand in bytes as a word of their own: value -> number of the person."""

    numbers: Mapping[bytes, int]

    def owner(self, value: bytes) -> int | None:
        """Whose value stands in these bytes; None = nobody's.

        >>> Texts({b"ann@example.com": 3}).owner(b'{"email": "ann@example.com", oops'), Texts({b"user-17": 3}).owner(b"user-170")
        (3, None)
        """
        found = self._pattern.search(value) if self.numbers else None
        return None if found is None else self.numbers[found[0]]

    @cached_property
    def _pattern(self) -> "re.Pattern[bytes]":
        words = b"|".join(re.escape(one) for one in sorted(self.numbers, key=len, reverse=True))
        return re.compile(rb"(?<![\w@.+-])(?:" + words + rb")(?![\w@+-])")


def _texts(lake: Lake, found: Traces, owners: Mapping[Identifier, int]) -> Texts:
    """What they are found by in bytes: identifiers that are no tokens, and the addresses and numbers they told."""
    rows = lake.rows_with(
        SILVER_PERSONAL_TRAITS, "actor_id", found.values[By.ACTOR], columns=("actor_id", "trait", "value")
    )
    told = [
        (row["value"], found.values[By.ACTOR][row["actor_id"]])
        for row in rows.to_pylist()
        if row["trait"] in REACHES and row["value"]
    ]  # fmt: skip
    plain = [
        (token, number)
        for (_, token), number in owners.items()
        if not token.startswith(f"{lake.config.privacy.hmac_key_id}:")
    ]
    return Texts({text.encode(): number for text, number in [*told, *plain] if len(text) >= SHORTEST})

"""Whom the lake was told to forget, known by keyed hashes alone: an event of theirs that comes again is held back.

Held back is what carries an identifier that was theirs alone, or is of one of their actors, and happened before they were erased. So a replay of the topic, a
rebuild from the archive, an import of an old file and a device that was offline bring nobody back; and who comes anew later is somebody new.
A hash is another one than any token, so that nothing in the lake can be looked up by it; without the key it can be tried against nothing.
"""

import hashlib
import hmac
import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lakehouse.config import Config, PrivacyConfig
from lakehouse.events.event_row import EventReader
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.identifier import Identifier
from lakehouse.lake.delta import Lake
from lakehouse.spark.arrow_function import arrow_function
from lakehouse.tables.contract import Table
from lakehouse.tables.erasures import OPS_ERASED_IDENTIFIERS, OPS_ERASURES

ACTOR = "actor"  # stands where a type stands, of an actor_id
READ = ("identifiers", "actor_id", "occurred_at", "topic", "value", "kafka_timestamp", "arrived_at")  # of a row
_TIME = pa.timestamp("us", tz="UTC")
_NEVER = -(2**63)
Until = Mapping[str, int]
"""digest -> microseconds since 1970 up to which events are held back."""


def digest(privacy: PrivacyConfig, type_: str, token: str) -> str:
    """32 hex digits of HMAC-SHA-256; `type_` ACTOR: of an actor_id."""
    message = "\0".join(("erased", type_, token)).encode()
    return hmac.digest(privacy.hmac_key.encode(), message, hashlib.sha256).hex()[:32]


def held_until(lake: Lake) -> Until:
    """Everybody who was erased; nobody in a lake of before."""
    if not lake.stored([OPS_ERASED_IDENTIFIERS]):
        return {}
    until: dict[str, int] = {}
    for batch in lake.batches(OPS_ERASED_IDENTIFIERS, columns=("digest", "until")):
        times = batch["until"].cast(_TIME).cast(pa.int64())
        until.update(zip(batch["digest"].to_pylist(), times.to_pylist(), strict=True))
    return until


def ends_noted(lake: Lake, table: Table) -> list[dict[str, dict[str, int]]]:
    """How far a table of records reached at each erasure: its last rows may have been of who went."""
    if not lake.stored([OPS_ERASURES]):
        return []
    told = (text for batch in lake.batches(OPS_ERASURES, columns=("ends",)) for text in batch["ends"].to_pylist())
    return [ends for text in told if (ends := json.loads(text).get(table.name))]


@dataclass(frozen=True, kw_only=True)
class HoldBack:
    """Tells rows of who was erased. Picklable."""

    config: Config
    declared: Declarations
    until: Until

    def __bool__(self) -> bool:
        return bool(self.until)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.config, self.declared, self.until)  # what it remembers stays behind

    @cached_property
    def _known(self) -> "_Known":
        return _Known(self)

    def flags(self, rows: pa.Table | pa.RecordBatch) -> pa.BooleanArray:
        """Of rows with READ, whether each is held back. A row without identifiers that has a record, as a rejected one, is read again."""
        return _flags(self._known, *(_whole(rows[name]) for name in READ))

    def left(self, parsed: DataFrame) -> DataFrame:
        """Parsed records without those of who was erased."""
        return parsed.where(~self.flag(parsed)) if self else parsed

    def flag(self, parsed: DataFrame) -> Any:
        """`flags`, as a column."""
        pickled = pickle.dumps(self)

        def flags(*columns: pa.Array) -> pa.Array:
            return _flags(_unpickled(pickled), *columns)

        return arrow_function(flags, "boolean")(*(parsed[name] for name in READ))

    def left_of_log(self, decided: DataFrame) -> DataFrame:
        """Rows of the decision log without those of units of who was erased."""
        if not self:
            return decided
        pickled = pickle.dumps(self)

        def flags(units: pa.Array, occurred_at: pa.Array) -> pa.Array:
            known, times = _unpickled(pickled), occurred_at.cast(_TIME).cast(pa.int64()).to_pylist()
            told = zip(units.to_pylist(), times, strict=True)
            return pa.array([_is_held(known.unit(unit), at) for unit, at in told], pa.bool_())

        return decided.where(~arrow_function(flags, "boolean")(decided["unit"], decided["occurred_at"]))


def hold_back(lake: Lake, declared: Declarations = NOTHING_DECLARED) -> HoldBack:
    """As the lake knows it now."""
    return HoldBack(config=lake.config, declared=declared, until=held_until(lake))


class _Known:
    """What a HoldBack knows, its answers remembered: the same visitor comes again and again."""

    def __init__(self, told: HoldBack) -> None:
        self._until, self._privacy = told.until, told.config.privacy
        self.of = lru_cache(maxsize=100_000)(self._of)
        self._told = told
        self.documents = told.declared.documents

    @cached_property
    def reader(self) -> EventReader:
        return EventReader(self._told.config, self._told.declared.properties, self._told.declared.plan)

    def _of(self, type_: str, token: str) -> int:
        return self._until.get(digest(self._privacy, type_, token), _NEVER)

    def unit(self, unit: str) -> int:
        type_, has_type, token = unit.partition(":")
        return self.of(type_, token) if has_type else self.of(ACTOR, unit)


def _made(config: Config, declared: Declarations, until: Until) -> HoldBack:
    return HoldBack(config=config, declared=declared, until=until)


@lru_cache(maxsize=4)
def _unpickled(pickled: bytes) -> _Known:
    return _Known(pickle.loads(pickled))


def _flags(
    known: _Known, identifiers: pa.Array, actors: pa.Array, occurred: pa.Array, topics: pa.Array,
    values: pa.Array, kafka: pa.Array, arrived: pa.Array,
) -> pa.BooleanArray:  # fmt: skip
    times = occurred.cast(_TIME).cast(pa.int64()).to_pylist()
    held = [_is_held(known.of(ACTOR, one or ""), at) for one, at in zip(actors.to_pylist(), times, strict=True)]
    flat = pc.list_flatten(identifiers)
    named = zip(
        pc.list_parent_indices(identifiers).to_pylist(), flat.field("type").to_pylist(), flat.field("token").to_pylist(), strict=True
    )  # fmt: skip
    for row, type_, token in named:
        if _is_held(known.of(type_, token), times[row]):
            held[row] = True
    unread = pc.indices_nonzero(pc.and_(pc.is_null(identifiers), pc.is_valid(values)))
    if len(unread):
        again = [column.take(unread) for column in (topics, values, kafka, arrived)]
        for row, is_held in zip(unread.to_pylist(), _read_again(known, *again), strict=True):
            held[row] = is_held
    return pa.array(held, pa.bool_())


def _read_again(
    known: _Known, topics: pa.Array, values: pa.Array, kafka: pa.Array, arrived: pa.Array
) -> Iterable[bool]:
    """Of rejected records: by what of them can be read, at the time they say, else at that of Kafka."""
    sent: Sequence[bytes | None] = values.to_pylist()
    if known.documents is not None:
        sent = list(map(known.documents.document, topics.to_pylist(), sent))
    of_kafka, of_arrival = (times.cast(_TIME).cast(pa.int64()).to_pylist() for times in (kafka, arrived))
    read = known.reader.columns(sent, of_kafka, of_arrival)
    for told, at, fallback in zip(read["identifiers"], read["occurred_at"], of_kafka, strict=True):
        yield any(_is_held(known.of(*one), fallback if at is None else at) for one in told or ())


def _is_held(until: int, at: int | None) -> bool:
    return until != _NEVER and (at is None or at <= until)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def digests(privacy: PrivacyConfig, identifiers: Iterable[Identifier], actors: Iterable[str]) -> list[str]:
    """Of all of them, each once."""
    named = [*identifiers, *((ACTOR, actor) for actor in actors)]
    return sorted({digest(privacy, type_, token) for type_, token in named})

"""Arrow batches of records -> Arrow batches of event rows: what Spark's Python workers run."""

import gc
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, Protocol

import pyarrow as pa

from lakehouse.config import Config
from lakehouse.config.limits import PURPOSES
from lakehouse.events import verdict
from lakehouse.events.content_hash import content_hashes
from lakehouse.events.declared_properties import NUMBER, DeclaredProperty
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.tracking_plan import UNPLANNED, TrackingPlan
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS

RECORD = (*BRONZE_EVENTS.key, "value", "timestamp", "arrived_at")  # what is read of a record
_TYPES = {column.name: column.type for column in SILVER_EVENTS.columns}
# What stands behind the columns of silver.events and the declared ones, in this order.
_BESIDE = {
    "traits": "map<string,string>",
    "value": "binary",
    "kafka_timestamp": "timestamp",
    "arrived_at": "timestamp",
    "faults": "array<string>",
    **dict.fromkeys(("source", "fact", "reason", "detail"), "string"),
}

_TEXT, _FLAG, _TIME = pa.string(), pa.bool_(), pa.timestamp("us", tz="UTC")
_IDENTIFIER = {"type": _TEXT, "token": _TEXT}
_LINE = {"product_id": _TEXT, "name": _TEXT, "quantity": pa.decimal128(18, 6), "price": pa.decimal128(20, 8)}
_CONSENT = {"at": _TIME, "message_id": _TEXT, **dict.fromkeys(PURPOSES, _FLAG)}
_OTHER_WORD = pa.struct([pa.field("purpose", _TEXT), pa.field("is_allowed", _FLAG)])
_BASIS = {
    **dict.fromkeys(("source", "jurisdiction", "text_version"), _TEXT),
    "others": pa.list_(_OTHER_WORD),
    "told_by": _TEXT,
}
_TRAFFIC = {**dict.fromkeys(("channel", "source", "medium", "campaign", "click_id"), _TEXT), "is_campaign": _FLAG}
_AGENT = dict.fromkeys(("device_class", "os", "browser"), _TEXT)
_LOCATION = dict.fromkeys(("country", "region"), _TEXT)
_ARROW = {"string": _TEXT, "boolean": _FLAG, "timestamp": _TIME, "bigint": pa.int64(), NUMBER: pa.decimal128(38, 10)}
_NO_COLUMN = ("declared", "verdict", "consent")  # of EventRow: more is made of each
_ACCEPTED = verdict.parts(None)
Rows = Sequence[Any]
Batches = Iterable[pa.RecordBatch]


class Documents(Protocol):
    """Makes the message of a record, by its topic; see lakehouse/sources/topic_sources.py. It can be pickled."""

    def document(self, topic: str, value: bytes | None) -> bytes | None: ...


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """What an owner declares of how records are read, besides the configuration. plan: what events are held to. documents: None = every record is its own message."""

    properties: Sequence[DeclaredProperty] = ()
    plan: TrackingPlan = UNPLANNED
    documents: Documents | None = None


NOTHING_DECLARED = Declarations()


def event_row_type(declared: Declarations = NOTHING_DECLARED) -> str:
    """What `event_rows` gives, as columns of Spark SQL."""
    types = _TYPES | {one.column.name: one.column.type for one in declared.properties} | _BESIDE
    return ", ".join(f"{name} {type_}" for name, type_ in types.items())


def event_rows(
    config: Config, declared: Declarations = NOTHING_DECLARED
) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    """Batches of RECORD -> batches of event_row_type, row by row. The key of the tokens stands in no plan."""
    pickled, properties = pickle.dumps((config, declared)), declared.properties

    def read(batches: Batches) -> Iterator[pa.RecordBatch]:
        reader, documents = _reader(pickled)
        for records in batches:
            with _no_collector():
                made = _made(records, reader, properties, documents)
            yield pa.RecordBatch.from_pydict(made)

    return read


def _made(
    records: pa.RecordBatch, reader: EventReader, declared: Sequence[DeclaredProperty], documents: Documents | None
) -> dict[str, pa.Array]:
    """The columns of event rows, each by its name and in its place."""
    kafka, arrived = (records[name].cast(_TIME) for name in ("timestamp", "arrived_at"))
    values = records["value"].to_pylist()
    messages = values
    if documents is not None:
        messages = list(map(documents.document, records["topic"].to_pylist(), values))
    columns = reader.columns(messages, *(times.cast(pa.int64()).to_pylist() for times in (kafka, arrived)))
    told = [_ACCEPTED if one is None else verdict.parts(one) for one in columns["verdict"]]
    reasons, details = zip(*told, strict=True) if told else ((), ())
    of_events = {name: _MAKE.get(name, _texts)(columns[name]) for name in EventRow._fields if name not in _NO_COLUMN}
    made = {
        **{name: records[name] for name in (*BRONZE_EVENTS.key, "value")},
        **of_events,
        "consent": _consents(columns["consent"], of_events["occurred_at"], of_events["message_id"]),
        **_declared(columns["declared"], declared),
        "content_hash": content_hashes(values),
        "kafka_timestamp": kafka,
        "arrived_at": arrived,
        "reason": _texts(reasons),
        "detail": _texts(details),
    }
    names = (*SILVER_EVENTS.column_names, *(one.column.name for one in declared), *_BESIDE)
    return {name: made[name] for name in names}


@contextmanager
def _no_collector() -> Iterator[None]:
    """A batch makes hundreds of thousands of objects and no cycle: Python's collector would go through them again and again."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


@lru_cache(maxsize=4)
def _reader(pickled: bytes) -> tuple[EventReader, Documents | None]:
    """Of one configuration, kept for as long as the worker lives: what it remembers is what makes it fast."""
    config, declared = pickle.loads(pickled)
    return EventReader(config, declared.properties, declared.plan), declared.documents


def _declared(rows: Rows, declared: Sequence[DeclaredProperty]) -> dict[str, pa.Array]:
    nothing = (None,) * len(declared)
    told = [nothing if one is None else one for one in rows]
    return {
        one.column.name: _column([values[place] for values in told], _ARROW[one.column.type])
        for place, one in enumerate(declared)
    }


def _texts(column: Rows) -> pa.Array:
    return pa.array(column, _TEXT)


def _flags(column: Rows) -> pa.Array:
    return pa.array(column, _FLAG)


def _times(column: Rows) -> pa.Array:
    return pa.array(column, pa.int64()).cast(_TIME)


def _money(column: Rows) -> pa.Array:
    return pa.array(column, pa.decimal128(18, 2))


def _faults(column: Rows) -> pa.Array:
    return pa.array(column, pa.list_(_TEXT))


def _traits(column: Rows) -> pa.Array:
    return pa.array([None if traits is None else list(traits.items()) for traits in column], pa.map_(_TEXT, _TEXT))


def _consents(column: Rows, at: pa.Array, message_id: pa.Array) -> pa.Array:
    """With when it was said, and by which message."""
    nothing = (None,) * len(PURPOSES)
    words = zip(*[nothing if one is None else one for one in column], strict=True) if column else [()] * len(PURPOSES)
    fields = [pa.field(name, type_) for name, type_ in _CONSENT.items()]
    return pa.StructArray.from_arrays([at, message_id, *map(_flags, words)], fields=fields, mask=_missing(column))


def _identifiers(column: Rows) -> pa.Array:
    return _lists(column, _IDENTIFIER)


def _lines(column: Rows) -> pa.Array:
    return _lists(column, _LINE)


def _optional(fields: dict[str, pa.DataType]) -> Callable[[Rows], pa.Array]:
    """Of structs that may be missing."""
    nothing = (None,) * len(fields)

    def make(column: Rows) -> pa.Array:
        return _structs([nothing if one is None else one for one in column], fields, mask=_missing(column))

    return make


def _lists(column: Rows, fields: dict[str, pa.DataType]) -> pa.Array:
    """array<struct> of rows of tuples; None stays null."""
    offsets = list(accumulate((len(rows) if rows else 0 for rows in column), initial=0))
    flat = list(chain.from_iterable(filter(None, column)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _structs(flat, fields), mask=_missing(column))


def _structs(rows: Rows, fields: dict[str, pa.DataType], mask: pa.Array | None = None) -> pa.Array:
    """Built from flat columns: a Python dict for each would cost more than reading the event."""
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    made = list(map(_column, columns, fields.values()))
    named = [pa.field(name, type_) for name, type_ in fields.items()]
    return pa.StructArray.from_arrays(made, fields=named, mask=mask)


def _column(column: Rows, type_: pa.DataType) -> pa.Array:
    return _times(column) if type_ == _TIME else pa.array(column, type_)


def _missing(column: Rows) -> pa.Array:
    return pa.array([one is None for one in column], _FLAG)


_MAKE: dict[str, Callable[[Rows], pa.Array]] = {
    **dict.fromkeys(("occurred_at", "received_at"), _times),
    **dict.fromkeys(("is_bot", "is_clamped"), _flags),
    "revenue": _money,
    "lines": _lines,
    "identifiers": _identifiers,
    "traffic": _optional(_TRAFFIC),
    "agent": _optional(_AGENT),
    "location": _optional(_LOCATION),
    "consent_basis": _optional(_BASIS),
    "traits": _traits,
    "faults": _faults,
}

"""Arrow columns of records -> one Arrow struct of event rows: what Spark's Python workers run."""

import gc
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import pyarrow as pa

from lakehouse.config import Config
from lakehouse.config.limits import PURPOSES
from lakehouse.events.declared_properties import NUMBER, DeclaredProperty
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.tracking_plan import UNPLANNED, TrackingPlan
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS

OF_RECORD = (*BRONZE_EVENTS.key, "content_hash")  # columns of silver.events that Spark has without reading the message
_TYPES = {"traits": "map<string,string>", "faults": "array<string>", "source": "string"}
_TYPES |= {"fact": "string", "verdict": "string"}
_TYPES |= {column.name: column.type for column in SILVER_EVENTS.columns}

_TEXT, _FLAG, _TIME = pa.string(), pa.bool_(), pa.timestamp("us", tz="UTC")
_IDENTIFIER = {"type": _TEXT, "token": _TEXT}
_LINE = {"product_id": _TEXT, "name": _TEXT, "quantity": pa.decimal128(18, 6), "price": pa.decimal128(20, 8)}
_CONSENT = {"at": _TIME, "message_id": _TEXT, **dict.fromkeys(PURPOSES, _FLAG)}
_TRAFFIC = {**dict.fromkeys(("channel", "source", "medium", "campaign", "click_id"), _TEXT), "is_campaign": _FLAG}
_AGENT = dict.fromkeys(("device_class", "os", "browser"), _TEXT)
_LOCATION = dict.fromkeys(("country", "region"), _TEXT)
_ARROW = {"string": _TEXT, "boolean": _FLAG, "timestamp": _TIME, "bigint": pa.int64(), NUMBER: pa.decimal128(38, 10)}
Rows = Sequence[Any]


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
    """What `event_rows` gives, as Spark SQL type; a column `declared` only where there are declared properties."""
    columns = ",".join(f"{one.column.name}:{one.column.type}" for one in declared.properties)
    types = _TYPES | {"declared": f"struct<{columns}>"}
    return "struct<" + ",".join(f"{name}:{types[name]}" for name in _names(declared)) + ">"


def _names(declared: Declarations) -> list[str]:
    return [name for name in EventRow._fields if name != "declared" or declared.properties]


def event_rows(config: Config, declared: Declarations = NOTHING_DECLARED) -> Callable[..., pa.Array]:
    """(value, time on the record, time it was taken in) -> event_row_type, row by row. The key of the tokens stands in no plan.

    Where `declared.documents` is asked, the record's topic is handed in, too.
    """
    pickled = pickle.dumps((config, declared))
    names = _names(declared)
    types = {one.column.name: _ARROW[one.column.type] for one in declared.properties}
    make = _MAKE | {"declared": lambda column: _structs([one or (None,) * len(types) for one in column], types)}

    def rows(reader: EventReader, messages: Sequence[Any], kafka: pa.Array, arrived: pa.Array) -> pa.Array:
        times = (column.cast(_TIME).cast(pa.int64()).to_pylist() for column in (kafka, arrived))
        with _no_collector():
            columns = reader.columns(messages, *times)
            arrays = [make.get(name, _texts)(columns[name]) for name in names]
        return pa.StructArray.from_arrays(arrays, names=names)

    def read(values: pa.Array, kafka: pa.Array, arrived: pa.Array) -> pa.Array:
        return rows(_reader(pickled)[0], values.to_pylist(), kafka, arrived)

    def read_by_topic(values: pa.Array, kafka: pa.Array, arrived: pa.Array, topics: pa.Array) -> pa.Array:
        reader, documents = _reader(pickled)
        assert documents is not None
        records = zip(topics.to_pylist(), values.to_pylist(), strict=True)
        return rows(reader, [documents.document(*record) for record in records], kafka, arrived)

    return read if declared.documents is None else read_by_topic


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
    offsets = [0]
    flat: list[Any] = []
    for rows in column:
        flat += rows or ()
        offsets.append(len(flat))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _structs(flat, fields), mask=_missing(column))


def _structs(rows: Rows, fields: dict[str, pa.DataType], mask: pa.Array | None = None) -> pa.Array:
    """Built from flat columns: a Python dict for each would cost more than reading the event."""
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    made = [
        _times(column) if type_ == _TIME else pa.array(column, type_)
        for column, type_ in zip(columns, fields.values(), strict=True)
    ]
    named = [pa.field(name, type_) for name, type_ in fields.items()]
    return pa.StructArray.from_arrays(made, fields=named, mask=mask)


def _missing(column: Rows) -> pa.Array:
    return pa.array([one is None for one in column], _FLAG)


_MAKE: dict[str, Callable[[Rows], pa.Array]] = {
    **dict.fromkeys(("occurred_at", "received_at"), _times),
    **dict.fromkeys(("is_bot", "is_clamped"), _flags),
    "revenue": _money,
    "lines": _lines,
    "identifiers": _identifiers,
    "consent": _optional(_CONSENT),
    "traffic": _optional(_TRAFFIC),
    "agent": _optional(_AGENT),
    "location": _optional(_LOCATION),
    "traits": _traits,
    "faults": _faults,
}

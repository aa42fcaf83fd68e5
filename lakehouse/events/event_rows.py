"""Arrow columns of records -> one Arrow struct of event rows: what Spark's Python workers run."""

import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from lakehouse.config import Config
from lakehouse.config.limits import PURPOSES
from lakehouse.events.declared_properties import NUMBER, DeclaredProperty
from lakehouse.events.event_row import EventReader, EventRow
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


def event_row_type(declared: Sequence[DeclaredProperty] = ()) -> str:
    """What `event_rows` gives, as Spark SQL type; a column `declared` only where there are declared properties."""
    columns = ",".join(f"{one.column.name}:{one.column.type}" for one in declared)
    types = _TYPES | {"declared": f"struct<{columns}>"}
    return "struct<" + ",".join(f"{name}:{types[name]}" for name in _names(declared)) + ">"


def _names(declared: Sequence[DeclaredProperty]) -> list[str]:
    return [name for name in EventRow._fields if name != "declared" or declared]


def event_rows(config: Config, declared: Sequence[DeclaredProperty] = ()) -> Callable[..., pa.Array]:
    """(value, time on the record, time it was taken in) -> event_row_type, row by row. The key of the tokens stands in no plan."""
    pickled = pickle.dumps((config, tuple(declared)))
    names = _names(declared)
    types = {one.column.name: _ARROW[one.column.type] for one in declared}
    make = _MAKE | {"declared": lambda column: _structs([one or (None,) * len(types) for one in column], types)}

    def read(values: pa.Array, kafka: pa.Array, arrived: pa.Array) -> pa.Array:
        reader = _reader(pickled)
        times = (column.cast(_TIME).cast(pa.int64()).to_pylist() for column in (kafka, arrived))
        rows = [reader.read(*record) for record in zip(values.to_pylist(), *times, strict=True)]
        columns = list(zip(*rows, strict=True)) or [()] * len(EventRow._fields)
        read_columns = dict(zip(EventRow._fields, columns, strict=True))
        return pa.StructArray.from_arrays([make.get(name, _texts)(read_columns[name]) for name in names], names=names)

    return read


@lru_cache(maxsize=4)
def _reader(pickled: bytes) -> EventReader:
    """Of one configuration, kept for as long as the worker lives: what it remembers is what makes it fast."""
    config, declared = pickle.loads(pickled)
    return EventReader(config, declared)


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

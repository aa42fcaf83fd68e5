"""Rows of people in a table, found as the table declares: each way it names, one pass over the columns these ways need."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.people.traces import Place, Texts, Traces
from lakehouse.tables.contract import Table
from lakehouse.tables.people import PLACE, By, ByIdentifier, ByRecord, Way, columns_of


def of_people(lake: Lake, table: Table, found: Traces, *, columns: Sequence[str]) -> tuple[pa.Table, list[int]]:
    """The rows of these people, with these columns, and of whom each is."""
    needed = list(dict.fromkeys([*columns, *(name for way in table.ways for name in columns_of(way))]))
    pieces, owners = [pa.schema([arrow_schema(table).field(name) for name in needed]).empty_table()], list[int]()
    for batch in lake.batches(table, columns=needed):
        if batch.num_rows == 0:  # PyArrow 25 dies when it looks for what is true among nothing
            continue
        rows = pa.Table.from_batches([batch])
        numbers = _numbers(rows, table.ways, found)
        pieces.append(rows.take(pa.array(sorted(numbers), pa.int64())))
        owners += [numbers[place] for place in sorted(numbers)]
    return pa.concat_tables(pieces).select(list(columns)), owners


def _numbers(rows: pa.Table, ways: Sequence[Way], found: Traces) -> dict[int, int]:
    """Place among the rows -> number of the person."""
    numbers: dict[int, int] = {}
    for way in ways:
        if isinstance(way, ByRecord):
            told = _by_record(rows, found.records)
        elif isinstance(way, ByIdentifier):
            named = pc.binary_join_element_wise(rows[way.type_column], rows[way.token_column], ":")
            told = _by_value(named, found.values[By.UNIT])
        elif way.by == By.BYTES:
            told = _by_bytes(rows[way.column], found.values[By.BYTES])
        else:
            told = _by_value(rows[way.column], found.values[way.by])
        numbers = told | numbers
    return numbers


def _by_value(column: pa.ChunkedArray, values: Mapping[str, int]) -> dict[int, int]:
    places = pc.indices_nonzero(pc.is_in(column, value_set=pa.array(list(values), pa.string())))
    return dict(zip(places.to_pylist(), (values[value] for value in column.take(places).to_pylist()), strict=True))


def _by_record(rows: pa.Table, records: Mapping[Place, int]) -> dict[int, int]:
    offsets = pa.array(sorted({offset for _, _, offset in records}), pa.int64())
    places = pc.indices_nonzero(pc.is_in(rows["offset"], value_set=offsets))
    told = zip(*(rows[name].take(places).to_pylist() for name in PLACE), strict=True)
    return {at: records[one] for at, one in zip(places.to_pylist(), told, strict=True) if one in records}


def _by_bytes(column: pa.ChunkedArray, units: Mapping[str, int]) -> dict[int, int]:
    texts = Texts({unit.encode(): number for unit, number in units.items()})
    told = ((at, None if value is None else texts.owner(value)) for at, value in enumerate(column.to_pylist()))
    return {at: number for at, number in told if number is not None}

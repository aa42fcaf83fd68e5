"""Rows of people, by each way a table may declare. A lake is what gives batches of rows; Spark reads the types of contracts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pyarrow as pa
import pytest

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.people.holdings import of_people
from lakehouse.people.traces import Traces
from lakehouse.tables.contract import Table
from lakehouse.tables.decisions import SILVER_DECISION_LOG_QUARANTINE
from lakehouse.tables.events import SILVER_QUARANTINE_REPLAYS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_OVERRIDES
from lakehouse.tables.people import By


class Batches:
    """A table in batches; the first is empty, as that of a file may be whose rows are gone."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def batches(self, table: Table, *, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([arrow_schema(table).field(name) for name in columns])
        for some in ([], self._rows[:1], self._rows[1:]):
            yield pa.RecordBatch.from_pylist([{name: row.get(name) for name in columns} for row in some], schema=schema)


def found() -> Traces:
    """Ann is 0, Bob is 1."""
    told = Traces(records={("events", 0, 7): 0, ("events", 1, 7): 1})
    told.add(By.ACTOR, ["ann-1"], 0)
    told.add(By.MATCH, ["ann-1:cat-1"], 0)
    told.add(By.MESSAGE, ["m1"], 1)
    told.add(By.UNIT, ["ann-1", "user_id:ann"], 0)
    told.add(By.BYTES, ["ann-1", "user_id:ann"], 0)
    return told


@pytest.mark.parametrize(
    ("table", "rows", "owners"),
    [
        (
            SILVER_IDENTITY_EDGES,
            [
                {"actor_id": "ann-1", "identifier_type": "user_id", "identifier_token": "ann"},
                {"actor_id": "cat-1", "identifier_type": "match", "identifier_token": "ann-1:cat-1"},
                {"actor_id": "cat-1", "identifier_type": "user_id", "identifier_token": "cat"},
            ],
            [0, 0],
        ),
        (
            SILVER_IDENTITY_OVERRIDES,
            [
                {"override_id": "1", "first_type": "loyalty_id", "first_token": "ann"},
                {"override_id": "2", "first_type": "email", "first_token": "t", "second_type": "user_id", "second_token": "ann"},
                {"override_id": "3", "first_type": "user_id", "first_token": "ann"},
            ],
            [0, 0],
        ),
        (
            SILVER_QUARANTINE_REPLAYS,
            [
                {"topic": "events", "partition": 0, "offset": 7},
                {"topic": "other", "partition": 0, "offset": 7},
                {"topic": "events", "partition": 2, "offset": 9, "message_id": "m1"},
            ],
            [0, 1],
        ),
        (
            SILVER_DECISION_LOG_QUARANTINE,
            [
                {"partition": 0, "offset": 1, "value": b'{"unit": "user_id:ann"'},
                {"partition": 0, "offset": 2, "value": b'{"unit": "user_id:anna"'},
                {"partition": 0, "offset": 3, "value": None},
            ],
            [0],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)  # fmt: skip
@pytest.mark.usefixtures("spark")
def test_rows_are_found_as_the_table_declares(table: Table, rows: list[dict[str, Any]], owners: list[int]) -> None:
    keys, theirs = of_people(cast(Lake, Batches(rows)), table, found(), columns=table.key)
    assert theirs == owners
    assert keys.column_names == list(table.key)
    assert keys.num_rows == len(owners)

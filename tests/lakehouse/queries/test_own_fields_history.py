"""A property declared while events come, and a lake of before: new events have its column at once, stored ones after one command."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from lakehouse.errors import ContractError
from lakehouse.events.declared_properties import DeclaredProperty
from lakehouse.events.event_rows import Declarations
from lakehouse.events.parse import parse
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.queries import events as query
from lakehouse.queries.own_fields_history import OWN, fill
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests.rows import RECORD, add_batch, listed, row, stream, track

SLOT = DeclaredProperty(name="slot", type="timestamp", path="delivery.slot", description="when it comes")
WEIGHT = DeclaredProperty(name="weight", type="number", events=("Packed",), description="kilograms")
DECLARED = Declarations(properties=(SLOT, WEIGHT))
COLUMNS = ("p_slot", "p_weight")
EIGHT = datetime(2026, 11, 30, 8, tzinfo=UTC)


def packed(number: int, **properties: Any) -> dict[str, Any]:
    sent = {"weight": 1.5, "delivery": {"slot": "2026-11-30T08:00:00Z"}} | properties
    return track("Packed", f"m-{number}", properties=sent)


OLD, EARLY, LATE, AFTER = packed(0), [packed(1), packed(2)], [packed(3), packed(4, weight="heavy")], packed(5)


@dataclasses.dataclass
class Seen:
    """silver.events as it was after each step: message_id -> row. files: those of the table before and after a second run."""

    early: dict[str, dict[str, Any]]
    late: dict[str, dict[str, Any]]
    half_filled: dict[str, dict[str, Any]]
    filled: dict[str, dict[str, Any]]
    files: tuple[list[str], list[str]]


def rows(lake: Lake) -> dict[str, dict[str, Any]]:
    """As a reader has them that knows nothing of us."""
    read = DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_table().to_pylist()
    return {one["message_id"]: one for one in read}


def drain(lake: Lake, declared: Declarations) -> None:
    def take_in(leaves: DataFrame | pa.Table, _: Transaction, __: BatchRecord) -> None:
        listed(leaves)

    records = stream(lake.spark, Path(lake.root).parent / "records")
    query.writer(lake, records, take_in, declared=declared).trigger(availableNow=True).start().awaitTermination()


def archive(lake: Lake) -> None:
    """bronze.events: every record that is sent."""
    sent = [row(OLD, 0, partition=1), *(row(one, number) for number, one in enumerate([*EARLY, *LATE]))]
    records = lake.spark.createDataFrame(sent, RECORD)
    lake.create(BRONZE_EVENTS)
    lake.overwrite(
        records.withColumnsRenamed({"timestamp": "kafka_timestamp", "arrived_at": "ingested_at"}), BRONZE_EVENTS
    )


def files(lake: Lake) -> list[str]:
    return sorted(DeltaTable(lake.path(SILVER_EVENTS)).file_uris())


@pytest.fixture(scope="module")
def seen(new_lake: Callable[[str], Lake]) -> tuple[Lake, Seen]:
    lake = new_lake("history")
    before = dataclasses.replace(SILVER_EVENTS, columns=tuple(c for c in SILVER_EVENTS.columns if c.name not in OWN))
    for table in (before, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE, SILVER_SESSIONS):
        lake.create(table)
    old = lake.spark.createDataFrame([row(OLD, 0, partition=1)], RECORD)
    lake.overwrite(conform(parse(old, lake.config), before), before)
    archive(lake)
    folder = Path(lake.root).parent / "records"
    add_batch(folder, EARLY)
    drain(lake, Declarations())
    early = rows(lake)
    add_batch(folder, LATE)
    drain(lake, DECLARED)
    late = rows(lake)
    table = query.events_table(lake, DECLARED)
    next(fill(lake, table, DECLARED, size=1))  # ended after its first commit
    half_filled = rows(lake)
    for _ in fill(lake, table, DECLARED):
        pass
    filled, kept = rows(lake), files(lake)
    for _ in fill(lake, table, DECLARED):
        pass
    return lake, Seen(early, late, half_filled, filled, (kept, files(lake)))


def values(one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(one.get(name) for name in COLUMNS)


def test_events_have_the_column_from_the_start_after_it_was_declared(seen: tuple[Lake, Seen]) -> None:
    early, late = seen[1].early, seen[1].late
    assert not {*COLUMNS} & {*early["m-1"]}
    assert [values(late[id_]) for id_ in ("m-0", "m-1", "m-2")] == [(None, None)] * 3
    slot, weight = values(late["m-3"])
    assert (slot, float(weight)) == (EIGHT, 1.5)
    assert values(late["m-4"]) == (EIGHT, None)


def test_what_cannot_be_read_as_declared_is_told(seen: tuple[Lake, Seen]) -> None:
    told = seen[0].read(SILVER_EVENT_FAULTS).select("message_id", "field", "expected").collect()
    assert [tuple(one) for one in told] == [("m-4", "properties.weight", "number expected")]


def test_one_command_fills_what_was_stored_and_nothing_else(seen: tuple[Lake, Seen]) -> None:
    _, now = seen
    assert sum(values(one) != (None, None) for one in now.half_filled.values()) == 3  # one of three that lacked them
    assert {id_: values(one)[0] for id_, one in now.filled.items()} == dict.fromkeys(now.filled, EIGHT)
    assert {float(values(now.filled[id_])[1]) for id_ in ("m-0", "m-1", "m-2", "m-3")} == {1.5}
    assert now.filled["m-0"]["properties"] == now.filled["m-1"]["properties"] == now.late["m-3"]["properties"]
    others = [name for name in now.early["m-0"] if name not in OWN]
    for id_, one in now.late.items():
        assert [now.filled[id_][name] for name in others] == [one[name] for name in others]


def test_a_second_run_writes_no_file(seen: tuple[Lake, Seen]) -> None:
    assert seen[1].files[0] == seen[1].files[1]


def test_other_readers_are_unharmed(seen: tuple[Lake, Seen]) -> None:
    path = seen[0].path(SILVER_EVENTS)
    assert DeltaTable(path).protocol().min_reader_version == 1
    polars = pl.read_delta(path)
    assert polars.schema["p_slot"] == pl.Datetime("us", "UTC")
    assert polars["p_slot"].null_count() == 0
    dataset = DeltaTable(path).to_pyarrow_dataset()
    assert dataset is not None
    assert duckdb.sql(
        "SELECT sum(p_weight)::double FROM dataset WHERE p_slot = '2026-11-30 08:00:00+00'"
    ).fetchall() == [(6.0,)]


def test_a_type_that_is_stored_stays_and_what_is_no_longer_declared_stays_empty(seen: tuple[Lake, Seen]) -> None:
    lake = seen[0]
    other = DeclaredProperty(name="weight", type="string", description="in words")
    with pytest.raises(ContractError, match=r"weight: got string, expected decimal\(38,10\)"):
        query.events_table(lake, Declarations(properties=[other]))
    add_batch(Path(lake.root).parent / "records", [AFTER])
    drain(lake, Declarations(properties=(SLOT,)))
    assert values(rows(lake)["m-5"]) == (EIGHT, None)
    table: Table = query.events_table(lake, Declarations())
    assert lake.read(table).columns == SILVER_EVENTS.column_names

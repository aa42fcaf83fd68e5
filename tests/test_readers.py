"""Silver and gold open in the other readers people use: delta-rs, Polars, and DuckDB over an Arrow dataset."""

import dataclasses
import pathlib
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import orjson
import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.catalog import TABLES
from lakehouse.events.parse import parse
from lakehouse.lake.delta import Lake, conform
from lakehouse.models.registry import Champions
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS
from tests.accepted import event, few_leaves, once
from tests.own_properties import PLANTED, exactly, own_object
from tests.rows import records, track
from tests.small_lake import copy_empty_tables

READABLE = [table for table in TABLES.values() if table.layer in ("silver", "gold")]


@pytest.fixture(scope="module")
def filled(new_lake: Callable[[str], Lake]) -> Lake:
    lake = new_lake("readers")
    copy_empty_tables(lake)
    rows = [
        event("m1", "2026-02-01 10:00", anonymous_id="cookie", user_id="ann", traits={"city": "Oslo"}),
        event("m2", "2026-02-02 10:00", "Order Completed", user_id="ann", order_id="o1", revenue="20.50"),
    ]
    batch = MicroBatch(lake, Champions(lake.config))
    for batch_id in (0, 1):
        batch(few_leaves(lake, rows[batch_id : batch_id + 1]), once(batch_id))
    return lake


def test_every_table_opens_with_the_columns_of_its_contract(filled: Lake) -> None:
    for table in READABLE:
        dataset = DeltaTable(filled.path(table)).to_pyarrow_dataset()
        count = filled.read(table).count()
        assert dataset.schema.names == table.column_names, table.name
        assert pl.read_delta(filled.path(table)).height == count, table.name
        assert pl.read_delta(filled.path(table)).columns == table.column_names, table.name
        ((rows,),) = duckdb.sql("SELECT count(*) FROM dataset").fetchall()
        assert rows == count, table.name


def test_no_table_asks_for_a_feature_that_shuts_readers_out(filled: Lake) -> None:
    def needs(table: Table) -> tuple[int, list[str]]:
        protocol = DeltaTable(filled.path(table)).protocol()
        return protocol.min_reader_version, list(protocol.reader_features or [])

    assert {table.name: needs(table) for table in READABLE} == {table.name: (1, []) for table in READABLE}


def test_money_and_time_arrive_as_money_and_time(filled: Lake) -> None:
    gold = pl.read_delta(str(pathlib.Path(filled.root) / "gold" / "rfm"))
    assert gold.schema["monetary"] == pl.Decimal(18, 2)
    assert gold.schema["last_order_at"] == pl.Datetime("us", "UTC")
    assert gold["monetary"].to_list()[0] == pytest.approx(20.50)


OWN = ("properties", "context")
BEFORE = dataclasses.replace(SILVER_EVENTS, columns=tuple(c for c in SILVER_EVENTS.columns if c.name not in OWN))
OLD, KNOWN = "m-old", "m-known"


def _sent() -> dict[str, dict[str, Any]]:
    """message_id -> properties: a hundred random ones, and those with something personal among them."""
    chance = Random(82)
    random = {f"m-{number}": own_object(chance) | {f"{number}_q": number} for number in range(100)}
    return random | {KNOWN: {"size": "L", "width": orjson.Fragment("41.50"), "gift": {"to": ["Eva"]}}}


@pytest.fixture(scope="module")
def own(new_lake: Callable[[str], Lake]) -> Lake:
    """silver.events of a lake of before own fields were kept, one event in it; then brought up, and written by both writers."""
    lake = new_lake("own_fields")
    lake.create(BEFORE)
    lake.overwrite(conform(parse(records(lake.spark, [track(message_id=OLD)]), lake.config), BEFORE), BEFORE)
    lake.create_missing([SILVER_EVENTS])
    sent = [track(message_id=id_, properties=properties) for id_, properties in _sent().items()]
    sent += [track(message_id=f"p-{n}", properties={f: v}, context={f: v}) for n, (f, v, _) in enumerate(PLANTED)]
    rows = parse(records(lake.spark, [orjson.dumps(message) for message in sent]), lake.config).persist()
    lake.append(rows.where("offset % 2 = 0"), SILVER_EVENTS, once(0), are_few=True)  # by delta-rs
    lake.append(rows.where("offset % 2 = 1"), SILVER_EVENTS, once(1))  # by Spark
    return lake


def _by_duckdb(lake: Lake) -> list[tuple[Any, ...]]:
    dataset = DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_dataset()
    assert dataset is not None
    return duckdb.sql("SELECT message_id, properties, context FROM dataset").fetchall()


READERS: dict[str, Callable[[Lake], list[tuple[Any, ...]]]] = {
    "spark": lambda lake: [tuple(row) for row in lake.read(SILVER_EVENTS).select("message_id", *OWN).collect()],
    "deltalake": lambda lake: [
        tuple(row.values())
        for row in DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_table(columns=["message_id", *OWN]).to_pylist()
    ],
    "polars": lambda lake: pl.read_delta(lake.path(SILVER_EVENTS)).select("message_id", *OWN).rows(),
    "duckdb": _by_duckdb,
}


@pytest.mark.parametrize("reader", READERS)
def test_own_fields_are_read_as_they_were_sent_and_nothing_personal_is_among_them(own: Lake, reader: str) -> None:
    rows = {id_: (properties, context) for id_, properties, context in READERS[reader](own)}
    assert len(rows) == 1 + len(_sent()) + len(PLANTED)
    assert rows[OLD] == (None, None)
    for id_, properties in _sent().items():
        assert exactly(rows[id_][0]) == exactly(orjson.dumps(properties).decode())
    for number, (field, _, traces) in enumerate(PLANTED):
        kept = rows[f"p-{number}"]
        assert [trace for trace in traces if trace in str(kept)] == [], field


def test_own_fields_are_reached_by_path_in_every_reader(own: Lake) -> None:
    wanted = ("L", Decimal("41.5"), "Eva")  # Spark's own function leaves the last digit out
    paths = ("$.size", "$.width", "$.gift.to[0]")
    known = f"message_id = '{KNOWN}'"
    columns = [f"get_json_object(properties, '{path}')" for path in paths]
    found = [tuple(own.read(SILVER_EVENTS).where(known).selectExpr(*columns).collect()[0])]
    dataset = DeltaTable(own.path(SILVER_EVENTS)).to_pyarrow_dataset()
    assert dataset is not None
    columns = [f"properties ->> '{path}'" for path in paths]
    found += duckdb.sql(f"SELECT {', '.join(columns)} FROM dataset WHERE {known}").fetchall()
    text = pl.read_delta(own.path(SILVER_EVENTS)).filter(pl.col("message_id") == KNOWN)["properties"]
    found.append(tuple(text.str.json_path_match(path)[0] for path in paths))
    assert [(size, Decimal(width), to) for size, width, to in found] == [wanted] * 3

"""Silver and gold open in the other readers people use: delta-rs, Polars, and DuckDB over an Arrow dataset."""

import pathlib
from collections.abc import Callable

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.catalog import TABLES
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.tables.contract import Table
from tests.accepted import event, events, once
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
        batch(leaf(with_day(events(lake.spark, rows[batch_id : batch_id + 1])), rates={}), once(batch_id))
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

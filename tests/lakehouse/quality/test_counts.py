"""Rows are counted alike by Spark and on the driver, and every expectation that is declared can be counted."""

import dataclasses

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehouse.catalog import TABLES
from lakehouse.errors import ContractError
from lakehouse.lake.delta import arrow_schema
from lakehouse.quality.counts import Counts, added, counted, counted_here, first_broken
from lakehouse.tables.contract import Table, optional
from lakehouse.tables.expectation import Action, Expectation, not_null, unique, within
from lakehouse.tables.quality import OPS_DATA_QUALITY
from tests import small_lake

SHOP = Table(
    name="silver.events", grain="one row per sale", key=("sale",), owner="shop.py",
    columns=(optional("sale", "string", ""), optional("kind", "string", ""), optional("worth", "double", "")),
    expectations=(
        not_null("worth", concerns="kind = 'sale'", most=0.5),
        within("worth", 0, 10),
        unique("sale", "kind"),
        Expectation(name="kind_is_known", text="a kind", breaks="kind NOT IN ('sale', 'gift')", action=Action.QUARANTINE),
        Expectation(name="dear", text="nothing dear", breaks="worth > 9", action=Action.QUARANTINE),
    ),
)  # fmt: skip
SALES = [
    {"sale": "a", "kind": "sale", "worth": 10.0},
    {"sale": "b", "kind": "sale", "worth": None},
    {"sale": "b", "kind": "sale", "worth": -0.5},
    {"sale": "c", "kind": "gift", "worth": None},
    {"sale": "c", "kind": "theft", "worth": 10.5},
    {"sale": None, "kind": None, "worth": 1.0},
]
FOUND = {
    "worth_is_there": (3, 1),
    "worth_is_in_range": (4, 2),
    "sale_kind_is_unique": (6, 1),
    "kind_is_known": (6, 1),
    "dear": (6, 2),
}


def rows(table: Table, given: list[small_lake.Row]) -> pa.Table:
    return pa.Table.from_pylist(given, schema=arrow_schema(table))


def test_a_row_breaks_what_it_concerns_and_null_breaks_nothing(spark: SparkSession) -> None:
    here = rows(SHOP, SALES)
    assert counted_here(here, SHOP) == Counts(6, FOUND)
    assert counted(spark.createDataFrame(here), SHOP) == Counts(6, FOUND)


def test_no_rows_break_nothing(spark: SparkSession) -> None:
    none = rows(SHOP, [])
    assert counted_here(none, SHOP) == Counts(0, dict.fromkeys(FOUND, (0, 0)))


def test_parts_are_added() -> None:
    one, other = [(1, 0), (2, 1), (0, 0), (9, 9), (1, 1)], [(1, 1), (0, 0), (0, 0), (1, 0), (0, 0)]
    assert list(added(SHOP, [one, other]).values()) == [(2, 1), (2, 1), (0, 0), (10, 9), (1, 1)]


def test_the_first_expectation_a_row_breaks_is_why_it_is_put_aside(spark: SparkSession) -> None:
    why = first_broken(SHOP, Action.QUARANTINE)
    assert why is not None
    told = spark.createDataFrame(rows(SHOP, SALES)).select(why).collect()
    assert [row[0] for row in told] == ["dear", None, None, None, "kind_is_known", None]
    assert first_broken(SHOP, Action.STOP) is None


EXPECTING = [table for table in TABLES.values() if table.expectations]


def test_the_tables_that_are_judged_are_those_that_ops_data_quality_says_it_reads() -> None:
    assert {table.name for table in EXPECTING} == set(OPS_DATA_QUALITY.reads)


@pytest.mark.parametrize("table", EXPECTING, ids=lambda table: table.name)
def test_what_is_declared_is_counted_alike_and_a_sound_lake_keeps_to_it(spark: SparkSession, table: Table) -> None:
    here = rows(table, small_lake.ROWS[table.name])
    found = counted_here(here, table)
    assert counted(spark.createDataFrame(here, table.ddl), table) == found
    assert found.rows == here.num_rows
    broken = {e.name for e in table.expectations if found.by_name[e.name][1] > e.most * found.by_name[e.name][0]}
    assert broken == set()


def test_names_are_told_apart_and_only_events_are_put_aside() -> None:
    with pytest.raises(ContractError, match="worth_is_in_range"):
        dataclasses.replace(SHOP, expectations=(within("worth", 0, 1), within("worth", 0, 2)))
    aside = dataclasses.replace(within("worth", 0, 1), action=Action.QUARANTINE)
    with pytest.raises(ContractError, match="quarantine"):
        dataclasses.replace(OPS_DATA_QUALITY, expectations=(aside,))

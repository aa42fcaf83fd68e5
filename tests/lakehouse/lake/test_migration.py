"""A lake of an earlier release: it follows its contracts by whoever writes it, and whoever only reads says what is not there."""

import dataclasses
import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from delta.tables import DeltaTable

from lakehouse.catalog import TABLES
from lakehouse.errors import ContractError, LakeError
from lakehouse.lake import delta, delta_rs
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.profiles.rebuild import SOURCES
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.tables.contract import Table, optional, required
from tests import small_lake
from tests.rows import frame

BEFORE = Table(
    name="silver.told",
    grain="one row per word",
    key=("word",),
    owner="tests",
    columns=(required("word", "string", "a word"), required("at", "timestamp", "its time")),
)
GAINED = optional("tones", "array<struct<name:string,loudness:double>>", "gained by a later release")
NOW = dataclasses.replace(BEFORE, columns=(*BEFORE.columns, GAINED))
ROW = {"word": "a", "at": datetime(2026, 11, 27, tzinfo=UTC)}


@pytest.fixture(params=["files", "spark"])
def old(request: pytest.FixtureRequest, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose table was made before the column was; read by its files, and by Spark, as a large or remote one is."""
    if request.param == "spark":
        monkeypatch.setattr(delta, "MOST_FILES", 0)
    lake.create(BEFORE)
    lake.add(pa.Table.from_pylist([ROW], arrow_schema(BEFORE)), BEFORE)
    return lake


def rows(lake: Lake) -> list[tuple[object, ...]]:
    found = lake.read(NOW)
    assert found.columns == NOW.column_names
    return sorted(tuple(row) for row in found.collect())


def test_a_column_that_is_not_stored_yet_reads_as_null_and_reading_changes_nothing(old: Lake) -> None:
    assert [word for word, _, tones in rows(old) if tones is None] == ["a"]
    assert [tones for batch in old.batches(NOW) for tones in batch["tones"].to_pylist()] == [None]
    assert delta_rs.columns(old.path(NOW)) == BEFORE.column_names


def test_who_writes_adds_the_column_once_and_keeps_every_row(old: Lake) -> None:
    for _ in range(2):
        old.create_missing([NOW])
        version = old.version(NOW)
    assert old.version(NOW) == version
    told = frame(old.spark, NOW, [ROW | {"word": "b", "tones": [("c", 0.5)]}])
    old.upsert(told, NOW)
    assert [(word, tones and [tuple(tone) for tone in tones]) for word, _, tones in rows(old)] == [
        ("a", None), ("b", [("c", 0.5)]),
    ]  # fmt: skip
    assert arrow_schema(NOW).names == delta_rs.columns(old.path(NOW))


def test_a_column_that_may_not_be_null_is_no_gain(old: Lake) -> None:
    never_null = dataclasses.replace(NOW, columns=(*BEFORE.columns, required("tone", "string", "not to be had")))
    with pytest.raises(ContractError, match=r"silver\.told.*'tone'.*LAKE_VERSION"):
        old.create_missing([never_null])


@pytest.mark.parametrize("table", [SILVER_ACTIVITY_DAILY, GOLD_ACTIVATION], ids=lambda table: table.name)
def test_a_table_is_the_same_whichever_makes_it(table: Table, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delta-rs on this machine, in some milliseconds; Spark elsewhere."""

    def made() -> tuple[str, dict[str, object]]:
        lake.create(table)
        told = DeltaTable.forPath(lake.spark, lake.path(table)).detail().select("description", "properties").head(1)[0]
        columns = lake.spark.read.format("delta").load(lake.path(table)).schema.json()
        shutil.rmtree(lake.path(table))
        return columns, told.asDict()

    assert lake.uses_delta_rs
    here = made()
    monkeypatch.setattr(lake, "uses_delta_rs", False)
    assert made() == here


def test_a_place_without_a_lake_is_not_made_one_by_a_repair(lake: Lake) -> None:
    for step in (lambda: lake.require([BEFORE]), lambda: lake.bring_up([NOW], of=[BEFORE])):
        with pytest.raises(LakeError, match=r"no table silver\.told.*streaming"):
            step()
    lake.create(BEFORE)
    lake.bring_up([NOW], of=[BEFORE])
    assert delta_rs.columns(lake.path(NOW)) == NOW.column_names


def test_a_lake_from_before_a_table_is_told_what_to_run_and_a_writer_makes_it(lake: Lake) -> None:
    small_lake.copy_empty_tables(lake)
    shutil.rmtree(lake.path(GOLD_CHANGES))
    with pytest.raises(LakeError, match=r"no table gold\.changes, got a lake of an earlier .* batch/rebuild\.py"):
        lake.require(TABLES.values())
    lake.bring_up(TABLES.values(), of=SOURCES)
    lake.require(TABLES.values())

"""The notebooks run on a real small lake, and they only look."""

import ast
import runpy
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.lake.delta import Lake
from tests import small_lake

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))
HEADER = "# Databricks notebook source"
COMMAND = "# COMMAND ----------"
CHANGES = {
    "write", "writeTo", "writeStream", "save", "saveAsTable", "insertInto", "overwrite", "append", "upsert", "create",
    "create_missing", "foreachBatch", "sql", "toPandas", "collect", "delete", "merge", "udf",
}  # fmt: skip
MOST_CODE_LINES = 80

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def small(spark: SparkSession) -> Lake:
    return small_lake.shared(spark)


def run(notebook: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, object]]]:
    """What the notebook displayed: one list of rows per call."""
    shown: list[list[dict[str, object]]] = []

    def display(frame: DataFrame) -> None:
        shown.append([row.asDict(recursive=True) for row in frame.collect()])

    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", lake.root)
    runpy.run_path(str(notebook), init_globals={"spark": lake.spark, "display": display})
    return shown


def test_there_are_at_least_three_notebooks() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{i:02d}_" for i in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 3


@each_notebook
def test_every_cell_of_a_notebook_shows_rows_of_the_small_lake(
    notebook: Path, small: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run(notebook, small, monkeypatch)
    assert len(shown) == notebook.read_text(encoding="utf-8").count("\ndisplay(")
    # Nobody in the small lake is to be won back; every other display has something to say.
    assert [bool(rows) for rows in shown].count(False) == (1 if notebook.stem.startswith("03") else 0)


@each_notebook
def test_a_notebook_runs_on_an_empty_lake(notebook: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(notebook, small_lake.empty(spark), monkeypatch)


def test_the_first_notebook_shows_that_the_records_add_up(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    balance = run(NOTEBOOKS[0], small, monkeypatch)[0]
    assert {row["what"]: row["records"] for row in balance} == {
        "bronze": 13,
        "silver": 10,
        "quarantine": 2,
        "duplicates and facts": 1,
    }


def test_the_second_notebook_shows_the_shared_television_and_what_stitching_is_worth(
    small: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run(NOTEBOOKS[1], small, monkeypatch)
    shared, worth = shown[-2], shown[-1]
    assert shared == [{"identifier_type": "device_id", "identifier_token": "tv-1", "profiles": 2, "actors": 2}]
    assert worth == [
        {"actors": 7, "profiles": 3, "events": 8, "events_with_user_id": 6, "events_of_a_known_person": 7}
    ]  # fmt: skip


def test_the_third_notebook_shows_the_move_to_champions(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(NOTEBOOKS[2], small, monkeypatch)
    segments, moves = shown[1], shown[2]
    assert [(row["segment"], row["customers"], str(row["revenue"])) for row in segments] == [
        ("champions", 1, "115.50"),
        ("lost one-time buyers", 1, "15.00"),
    ]
    assert moves == [{"came_from": "recent one-time buyers", "segment": "champions", "moves": 1}]


def test_a_notebook_runs_without_a_display_of_its_host(
    small: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", small.root)
    runpy.run_path(str(NOTEBOOKS[0]), init_globals={"spark": small.spark})
    assert "duplicates" in capsys.readouterr().out


@each_notebook
def test_a_notebook_defines_nothing_and_changes_nothing(notebook: Path) -> None:
    tree = ast.parse(notebook.read_text(encoding="utf-8"))
    defined = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
    ]
    assert defined == []
    assert {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & CHANGES == set()


@each_notebook
def test_a_notebook_is_in_databricks_source_format_with_only_markdown_magic(notebook: Path) -> None:
    lines = notebook.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    magic = [line for line in lines if line.startswith("# MAGIC")]
    assert [line for line in magic if line.startswith("# MAGIC %") and line != "# MAGIC %md"] == []
    # A cell is either prose or code.
    for cell in "\n".join(lines[1:]).split(COMMAND):
        kinds = {line.startswith("# MAGIC") for line in cell.splitlines() if line.strip()}
        assert len(kinds) == 1


@each_notebook
def test_a_notebook_has_at_most_80_lines_of_code(notebook: Path) -> None:
    lines = notebook.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith("#")]) <= MOST_CODE_LINES

"""The script that compares two lakes finds what differs, and nothing where they hold the same."""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from tests import small_lake
from tests.compare_lakes import compare_lakes, main


@pytest.fixture
def copies(spark: SparkSession, tmp_path: Path) -> tuple[Path, Path]:
    """The small lake, and a copy of it to be changed."""
    lake = Path(small_lake.shared(spark).root)
    return lake, Path(shutil.copytree(lake, tmp_path / "copy"))


def differing(first: Path, second: Path) -> dict[str, int]:
    return {one.table: one.differences for one in compare_lakes(first, second) if one.differences}


def test_a_lake_is_equal_to_its_copy(copies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path) for path in copies]) == 0
    assert '"differences": 0' in capsys.readouterr().out


def test_a_row_that_says_something_else_or_is_gone_is_found(copies: tuple[Path, Path]) -> None:
    lake, copy = copies
    DeltaTable(copy / "gold" / "rfm").update({"frequency": "frequency + 1"}, predicate="profile_id = 'ann-phone'")
    DeltaTable(copy / "silver" / "orders").delete("order_id = 'o3'")
    assert differing(lake, copy) == {"gold.rfm": 1, "silver.orders": 1}


def test_when_a_row_was_written_is_not_what_it_says(copies: tuple[Path, Path]) -> None:
    lake, copy = copies
    DeltaTable(copy / "gold" / "rfm").update({"computed_at": "timestamp '2030-01-01T00:00:00Z'"})
    assert differing(lake, copy) == {}

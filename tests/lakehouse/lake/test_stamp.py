"""What a stamp says is what was written first, on this machine's disk and on any other file system."""

from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.lake.stamp import _remote, read, restamp, stamped, unstamp


def test_it_is_written_once_and_then_read(tmp_path: Path) -> None:
    assert stamped(str(tmp_path), "made/_stamp", "first", None) is None
    assert stamped(str(tmp_path), "made/_stamp", "second", None) == "first"
    assert stamped(str(tmp_path), "made/_stamp", lambda: str(1 / 0), None) == "first"
    assert stamped(str(tmp_path), "made/_other", lambda: "third", None) is None
    assert stamped(str(tmp_path), "made/_other", "fourth", None) == "third"
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["_other", "_stamp"]


def test_on_another_file_system_too(spark: SparkSession, tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/_stamp"
    assert _remote(spark, uri, "first") is None
    assert _remote(spark, uri, "second") == "first"


def test_it_is_read_where_there_is_one_and_may_say_something_else(tmp_path: Path) -> None:
    folder = str(tmp_path / "made")
    assert read(folder, "_stamp", None) is None
    for said in ("first", "second"):
        restamp(folder, "_stamp", said, None)
        assert read(folder, "_stamp", None) == said
    unstamp(folder, "_stamp", None)
    assert read(folder, "_stamp", None) is None

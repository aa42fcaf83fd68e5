"""A folder of rows stands in for a table: in one order for records of several rows, and gone when it was read."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse import machine
from lakehouse.config import load
from lakehouse.errors import SourceError
from lakehouse.imports.reading import Reading
from lakehouse.imports.table_import import Kept, session_for_imports, staged
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record import fingerprint
from lakehouse.sources.record_files import records

CONFIG = load("dev", environ={})
LINES = [(f"o-{n % 40}", f"p-{n}", {"size": n}) for n in range(200)]


def reading(frame: DataFrame) -> Reading:
    return Reading(frame=frame, has_all_copies=True, position=None, told="rows")


def orders(spark: SparkSession, lines: list[tuple[str, str, dict[str, int]]], parts: int) -> Reading:
    frame = session_for_imports(spark).createDataFrame(lines, "number string, product string, sizes map<string, int>")
    return reading(frame.repartition(parts))


def test_rows_of_one_record_stand_together_and_it_says_the_same_however_they_lay(spark: SparkSession) -> None:
    found = []
    for lines, parts in ((LINES, 1), (LINES[::-1], 5)):
        with staged(orders(spark, lines, parts), "number") as folder:
            made = list(records(folder, FileFormat(group_by="number"), CONFIG))
        assert [len(record.content["rows"]) for record in made if record.content] == [5] * 40
        found.append({fingerprint(record) for record in made})
    assert found[0] == found[1]
    with (
        pytest.raises(SourceError, match=r"format.group_by: got no column 'order'"),
        staged(orders(spark, LINES, 1), "order"),
    ):
        pass


def read_and_fail(rows: Reading) -> None:
    with staged(rows, None) as folder:
        assert len(list(records(folder, FileFormat(), CONFIG))) == len(LINES)
        raise ZeroDivisionError


def test_what_was_read_is_gone_afterwards_and_what_a_killed_import_left_before(spark: SparkSession) -> None:
    left = machine.cache_folder() / "imports" / "rows"
    left.mkdir(parents=True, exist_ok=True)
    (left / "part-of-before.parquet").write_bytes(b"PAR1")
    with pytest.raises(ZeroDivisionError):
        read_and_fail(orders(spark, LINES, 1))
    assert not left.exists()


def test_a_time_without_a_zone_stays_one(spark: SparkSession) -> None:
    sql = "SELECT TIMESTAMP_NTZ '2025-01-31 10:00:00' AS wall, TIMESTAMP '2025-01-31 10:00:00' AS moment"
    with staged(reading(session_for_imports(spark).sql(sql)), None) as folder:
        (record,) = records(folder, FileFormat(), CONFIG)
    assert record.content == {"wall": "2025-01-31T10:00:00", "moment": "2025-01-31T10:00:00+00:00"}


def test_how_far_an_import_came_is_kept_by_source_and_table(spark: SparkSession, tmp_path: Path) -> None:
    kept = Kept(root=str(tmp_path), source="shop", table="a", spark=spark)
    assert kept.read() is None
    kept.write({"version": 3})
    kept.write({"version": 4})
    assert kept.read() == {"version": 4}
    assert Kept(root=str(tmp_path), source="till", table="a", spark=spark).read() is None
    assert Kept(root=str(tmp_path), source="shop", table="b", spark=spark).read() is None

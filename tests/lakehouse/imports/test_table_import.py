"""A folder of rows stands in for a table: in one order for records of several rows, and gone when it was read."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse import machine
from lakehouse.config import load
from lakehouse.errors import SourceError
from lakehouse.imports.reading import Reading
from lakehouse.imports.table_import import Kept, import_table, session_for_imports, staged
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.history import Tally
from lakehouse.sources.record import fingerprint
from lakehouse.sources.record_files import records

CONFIG = load("dev", environ={})
LINES = [(f"o-{n % 40}", f"p-{n}", {"size": n}) for n in range(200)]
AS_OF = datetime(2025, 1, 31, 10, tzinfo=UTC)


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


class Grown:
    """A table with a line more than at the last import, in memory. `copies`: rows that were there before come again with it."""

    name = "grown"

    def __init__(self, spark: SparkSession, *, has_copies: bool = False) -> None:
        self._spark = spark
        self._new = LINES[-1:] + (LINES[:1] if has_copies else [])

    def after(self, position: object) -> Reading | None:
        return self._reading(self._new)

    def whole(self) -> Reading:
        return self._reading(LINES)

    def _reading(self, lines: list[tuple[str, str, dict[str, int]]]) -> Reading:
        return dataclasses.replace(orders(self._spark, lines, 1), has_all_copies=False, as_of=AS_OF)


def test_what_both_readings_did_is_told(spark: SparkSession, tmp_path: Path) -> None:
    tallies = [
        Tally(records=3, sent=2, known=1, unmapped=2, reasons=Counter(no_time=2)),
        Tally(records=2, sent=1, known=1, unmapped=1, reasons=Counter(no_time=1)),
    ]
    kept = Kept(root=str(tmp_path), source="shop", table="grown", spark=spark)
    told = import_table(
        Grown(spark), kept, lambda _: tallies.pop(0), lambda _: None, format_=FileFormat(), again=False, is_tried=True
    )
    # Two states of one row were sent, and neither is in the table any more.
    assert (told.sent, told.known, told.unmapped, told.reasons) == (3, 0, 3, {"no_time": 3})


def counted(spark: SparkSession, tmp_path: Path, table: Grown, format_: FileFormat) -> tuple[int, int, int]:
    """Records, sent and known of a trial, beside a lake that has all but the last line."""
    known = {line[:2] for line in LINES[:-1]}

    def send(folder: Path) -> Tally:
        found = list(records(folder, format_, CONFIG))
        assert {one.file_time for one in found} == {int(AS_OF.timestamp() * 1_000_000)}
        new = {(one.content["number"], one.content["product"]) for one in found if one.content} - known
        known.update(new)
        return Tally(records=len(found), sent=len(new), known=len(found) - len(new))

    kept = Kept(root=str(tmp_path), source="shop", table="grown", spark=spark)
    tally = import_table(table, kept, send, lambda _: None, format_=format_, again=False, is_tried=True)
    return tally.records, tally.sent, tally.known


def test_what_came_since_is_all_of_it_where_that_says_more(spark: SparkSession, tmp_path: Path) -> None:
    grown, doubled = Grown(spark), Grown(spark, has_copies=True)
    assert counted(spark, tmp_path, grown, FileFormat()) == (1, 1, 0)
    assert counted(spark, tmp_path, grown, FileFormat(group_by="number"))[0] == 40, "every order in all of its lines"
    assert counted(spark, tmp_path, doubled, FileFormat()) == (200, 1, 199), "all of it, each counted once"
    assert counted(spark, tmp_path, doubled, FileFormat(copies="dropped")) == (2, 1, 1), "no copy needs a number"

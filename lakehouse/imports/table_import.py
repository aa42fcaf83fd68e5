"""An import of a table: what has come since the last one, sent once, and where it stands kept only when all of it was sent.

The position saves reading and decides nothing: what is known already is not sent again, whatever was read. So a position that is lost, or
behind, costs time alone. It is never ahead, because it is written last.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, MapType, VariantType

from lakehouse import machine
from lakehouse.errors import SourceError
from lakehouse.imports.reading import ImportedTable, Position, Reading
from lakehouse.lake import stamp
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.history import Tally

FOLDER = "_imports"  # in the lake: how far each import has come
Send = Callable[[Path], Tally]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Where the position of one import is kept. `source`: its name; two sources of one table have a position each."""

    root: str
    source: str
    table: str
    spark: SparkSession

    @property
    def _file(self) -> str:
        return f"{self.source}-{hashlib.blake2b(self.table.encode(), digest_size=8).hexdigest()}.json"

    def read(self) -> Position | None:
        text = stamp.read(f"{self.root}/{FOLDER}", self._file, self.spark)
        position: Position | None = None if text is None else json.loads(text)
        return position

    def write(self, position: Position) -> None:
        stamp.restamp(f"{self.root}/{FOLDER}", self._file, json.dumps(dict(position)), self.spark)


def import_table(
    table: ImportedTable,
    kept: Kept,
    send: Send,
    tell: Callable[[str], None],
    *,
    format_: FileFormat,
    again: bool,
    is_tried: bool,
) -> Tally:
    """What became of the records. `send`: knows what an earlier call sent. `format_`: of the source. `again`: all of it is read, whatever
    was before. `is_tried`: nothing is kept, because nothing is sent.

    What came since is not enough where a record is made of several rows, for some of them may have been there before. And of rows that say
    the very same the second has a number: rows that came since cannot be numbered without those before; so where one of them is known
    already, all of the table is read, and what is missing of it is sent.

    Raises:
        SourceError: the table cannot be read, or not without somebody's word.
    """
    reading = table.whole() if again else table.after(kept.read())
    if reading is None:
        return Tally()
    if format_.group_by is not None:
        reading = table.whole()
    tally = _sent(reading, send, tell, format_)
    if not reading.has_all_copies and tally.known and format_.copies == "kept":
        of_before, reading = tally, table.whole()
        tally = _sent(reading, send, tell, format_)
        # What was sent before is met again as known; but for a state of a row that was written over since.
        tally.sent, tally.known = tally.sent + of_before.sent, max(0, tally.known - of_before.sent)
        tally.unmapped, tally.reasons = tally.unmapped + of_before.unmapped, tally.reasons + of_before.reasons
    if reading.position is not None and not is_tried:
        kept.write(reading.position)
    return tally


def _sent(reading: Reading, send: Send, tell: Callable[[str], None], format_: FileFormat) -> Tally:
    tell(reading.told)
    with staged(reading, format_.group_by) as folder:
        return send(folder)


@contextmanager
def staged(reading: Reading, group_by: str | None) -> Iterator[Path]:
    """The rows as a folder of Parquet of the time they are as of, gone afterwards. Of rows of one record, those of one value of `group_by` stand together.

    What an import that was killed left behind goes first: it holds what people's records hold.

    Raises:
        SourceError: the rows cannot be read to their end.
    """
    parent = machine.cache_folder() / "imports"
    parent.mkdir(mode=0o700, exist_ok=True)
    with machine.file_lock(parent / "one-at-a-time.lock"):
        folder = parent / "rows"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _write(reading, group_by, folder)
            if reading.as_of is not None:
                os.utime(folder, (reading.as_of.timestamp(),) * 2)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(reading: Reading, group_by: str | None, folder: Path) -> None:
    frame = reading.frame if group_by is None else _together(reading.frame, group_by)
    try:
        frame.write.parquet(str(folder))
    except (PySparkException, Py4JError) as error:
        words = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{reading.told}: cannot be read to its end ({words}), expected its rows. Begin it again, with --again if files of the table are gone"
        ) from error


def _together(frame: DataFrame, group_by: str) -> DataFrame:
    """In one order, always the same: a record of several rows says the same next time."""
    if group_by not in frame.columns:
        raise SourceError(
            f"format.group_by: got no column '{group_by}', expected one of the table. Mend the source's file"
        )
    others = [f"`{each.name}`" for each in frame.schema if each.name != group_by and _has_an_order(each.dataType)]
    return frame.orderBy(f"`{group_by}`", *others)


def _has_an_order(kind: DataType) -> bool:
    inner = [each.dataType for each in kind.fields] if hasattr(kind, "fields") else []
    inner += [kind.elementType] if hasattr(kind, "elementType") else []
    return not isinstance(kind, MapType | VariantType) and all(map(_has_an_order, inner))


def session_for_imports(spark: SparkSession) -> SparkSession:
    """One whose Parquet says of a time whether it has a zone.

    Raises:
        SourceError: Spark runs on other machines, whose files are not here.
    """
    if not str(spark.sparkContext.master).startswith("local"):
        raise SourceError(
            f"--master: got {spark.sparkContext.master}, expected local: what is read is handed on through files of this machine"
        )
    own = spark.newSession()
    own.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    return own

"""Parquet -> records: a file, or a folder of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from lakehouse.errors import SourceError
from lakehouse.sources.record import Record, canonical, plain, plain_row

MAGIC = b"PAR1"
_ROWS = 2000  # at once
_NO_CELL = (OverflowError, ValueError, KeyError, TypeError, ArrowException)


def records_of_file(path: Path) -> Iterator[Record]:
    """The rows of a file, not numbered. Raises OSError or ArrowException: it cannot be read."""
    with pq.ParquetFile(path) as file:
        yield from _of_batches(file.iter_batches(batch_size=_ROWS))


def records_of_folder(path: Path) -> Iterator[Record]:
    """The rows of all files of a folder, as Spark writes it, not numbered.

    Raises:
        SourceError: there is no file of Parquet in it.
        OSError, ArrowException: one cannot be read.
    """
    from pyarrow.dataset import dataset  # here: a worker that reads a topic needs none

    found: Any = dataset(path, format="parquet", partitioning="hive")
    if not found.files:
        raise SourceError(
            f"{path}: got a folder without Parquet, expected files named *.parquet in it. Name the files themselves"
        )
    yield from _of_batches(batch for one in found.get_fragments() for batch in _of_fragment(one, found))


def _of_fragment(fragment: Any, found: Any) -> Iterator[pa.RecordBatch]:
    """One file of a folder by its own columns: a table that grew has files with others, and of other types. And by those that its folder names."""
    schema = fragment.physical_schema
    for field in found.partitioning.schema:
        schema = schema if field.name in schema.names else schema.append(field)
    batches: Iterator[pa.RecordBatch] = fragment.to_batches(schema=schema, batch_size=_ROWS)
    return batches


def _of_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[Record]:
    for batch in batches:
        yield from _rows(batch)


def _rows(batch: pa.RecordBatch) -> Iterator[Record]:
    try:
        yield from [Record(0, plain_row(row)) for row in batch.to_pylist(maps_as_pydicts="strict")]
    except _NO_CELL:
        yield from (_row(batch.slice(number, 1)) for number in range(batch.num_rows))


def _row(alone: pa.RecordBatch) -> Record:
    """Of a cell that Python has no value for, such as a time behind the year 9999 or a map with a key twice, or with one that is a struct, the row is told as Arrow prints it."""
    cells: dict[str, Any] = {}
    unread = []
    for name, column in zip(alone.schema.names, alone.columns, strict=True):
        try:
            cells[name] = plain(column[0].as_py(maps_as_pydicts="strict"))
        except _NO_CELL:
            unread.append(name)
            cells[name] = " ".join(column.to_string().split())
    fault = f"{', '.join(unread)}: a value that can be read expected"
    return Record(0, None, fault, canonical(cells).decode()) if unread else Record(0, cells)

"""A file that holds what may be told now: CSV, Parquet or JSON lines, replaced as a whole or not at all.

A cell of CSV that a spreadsheet would calculate (it begins with = + - @, also as East Asian keyboards write them, a tab or the end of a line) gets an apostrophe before it, names
of columns too. Numbers of ours are numbers: -1.5 stays as it is. Source: OWASP, CSV Injection,
https://owasp.org/www-community/attacks/CSV_Injection.
"""

import csv
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.config import PROJECT
from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.exports.places.place import Layout
from lakehouse.exports.rows import Row, Sending

_ROW_GROUP = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class WholeFile(ABC):
    """A file that is replaced as a whole; where it lies, a subclass says. `into`: its name, whose ending says which kind it is."""

    takes_all = True

    def __init__(self, into: str) -> None:
        """Raises ExportError: no name of a file, or of a kind that is none."""
        ending = Path(into).suffix
        if Path(into).name != into or ending not in _WRITERS:
            raise ExportError(f"into: got '{into}', expected a file's name with one of {', '.join(_WRITERS)}. Mend it")
        self.into = into
        self._write = _WRITERS[ending]
        self._columns: pa.Schema | None = None

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        if layout.mode != "mirror":
            raise ExportError(
                f"mode: got {layout.mode}, expected mirror for a file: what was handed out cannot be taken back. Mend it"
            )
        if holds_rows and not self.is_there():
            raise ExportError(
                f"{self.where}: not there any more, expected the file of the last run. Put it back, or run with --full"
            )
        self._columns = layout.columns

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return None

    def replace(self, sends: Iterable[Sending]) -> Sent | Retry:
        """See `WholePlace`. Readers see the old file or the new one."""
        assert self._columns is not None
        with self.part() as part:
            self._write(part, self._columns, (sending.row.what for sending in sends))
            try:
                self.put(part)
            except DestinationAwayError as error:
                return Retry(str(error))
        return Sent()

    @abstractmethod
    def close(self) -> None:
        """See `Place`."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where the file is, for whoever reads an error."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether there is such a file. Raises DestinationAwayError, ExportError: nobody can say."""

    @abstractmethod
    def part(self) -> AbstractContextManager[Path]:
        """Where to write a new one; gone afterwards, unless it was put. Raises ExportError: it cannot be written there."""

    @abstractmethod
    def put(self, part: Path) -> None:
        """Let the file be this one, at once. Raises DestinationAwayError: whether it is, nobody knows. ExportError: it may not be."""


class FilePlace(WholeFile):
    """In a folder of this machine, which is made."""

    def __init__(self, folder: Path, into: str) -> None:
        """Raises ExportError: as `WholeFile`."""
        super().__init__(into)
        self._path = (PROJECT / folder).absolute() / into

    @property
    def where(self) -> str:
        """See `WholeFile`."""
        return str(self._path)

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        super().open(layout, holds_rows=holds_rows)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """See `Place`."""

    def is_there(self) -> bool:
        """See `WholeFile`."""
        return self._path.is_file()

    @contextmanager
    def part(self) -> Iterator[Path]:
        """See `WholeFile`."""
        part = self._path.with_name(part_of(self._path.name))
        try:
            yield part
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            part.unlink(missing_ok=True)

    def put(self, part: Path) -> None:
        """See `WholeFile`."""
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(self._path)

    def _unwritable(self, error: OSError) -> ExportError:
        return ExportError(
            f"{self._path}: cannot be written, got {type(error).__name__}, expected a folder of ours. Mend destinations.yaml"
        )


def part_of(name: str) -> str:
    """The name of the file that is written beside it. One for all runs, so that what one left that was killed the next writes over and takes away."""
    return f".{name}.part"


def safe_cell(value: Any) -> Any:
    """Text that no spreadsheet calculates.

    >>> [safe_cell(value) for value in ("=1+1", "-1.5", -1.5, "ann", None, "\uff1d1+1")]
    ["'=1+1", "'-1.5", -1.5, 'ann', None, "'\uff1d1+1"]
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return safe_cell(orjson.dumps(value).decode())
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else safe_cell(value)


def _write_csv(path: Path, columns: pa.Schema, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([safe_cell(name) for name in columns.names])
        writer.writerows([_csv_cell(row[name]) for name in columns.names] for row in rows)


def _write_parquet(path: Path, columns: pa.Schema, rows: Iterable[Row]) -> None:
    waiting = iter(rows)
    with pq.ParquetWriter(path, columns) as writer:
        while some := list(islice(waiting, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(some, schema=columns))


def _write_lines(path: Path, _: pa.Schema, rows: Iterable[Row]) -> None:
    with path.open("wb") as handle:
        for row in rows:
            handle.write(orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z) + b"\n")


_WRITERS: Mapping[str, Callable[[Path, pa.Schema, Iterable[Row]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
}

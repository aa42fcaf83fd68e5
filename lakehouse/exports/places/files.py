"""A file that holds what may be told now: CSV, Parquet or JSON lines, replaced as a whole or not at all.

A cell of CSV that a spreadsheet would calculate (it begins with = + - @, a tab or a carriage return) gets an apostrophe before it, names
of columns too. Numbers of ours are numbers: -1.5 stays as it is. Source: OWASP, CSV Injection,
https://owasp.org/www-community/attacks/CSV_Injection.
"""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.actions.delivery import Sent
from lakehouse.config import PROJECT
from lakehouse.errors import ExportError
from lakehouse.exports.places.place import Layout, Outcome, keys_of
from lakehouse.exports.rows import Removal, Row, Sending

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class FilePlace:
    """`into`: the file's name; its ending says which kind it is."""

    most_rows = None
    takes_all = True

    def __init__(self, folder: Path, into: str) -> None:
        """Raises ExportError: no name of a file, or of a kind that is none."""
        ending = Path(into).suffix
        if Path(into).name != into or ending not in _WRITERS:
            raise ExportError(f"into: got '{into}', expected a file's name with one of {', '.join(_WRITERS)}. Mend it")
        self._path = (PROJECT / folder).absolute() / into
        self._write = _WRITERS[ending]
        self._layout: Layout | None = None

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        if layout.mode != "mirror":
            raise ExportError(
                f"mode: got {layout.mode}, expected mirror for a file: what was handed out cannot be taken back. Mend it"
            )
        if holds_rows and not self._path.is_file():
            raise ExportError(
                f"{self._path}: not there any more, expected the file of the last run. Put it back, or run with --full"
            )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        self._layout = layout

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return None

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """See `Place`. Readers see the old file or the new one."""
        assert self._layout is not None
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            self._write(part, self._layout.columns, [sending.row.what for sending in sends])
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
            part.replace(self._path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise self._unwritable(error) from error
        return dict.fromkeys(keys_of(sends, removals), Sent())

    def close(self) -> None:
        """See `Place`."""

    def _unwritable(self, error: OSError) -> ExportError:
        return ExportError(
            f"{self._path}: cannot be written, got {type(error).__name__}, expected a folder of ours. Mend destinations.yaml"
        )


def safe_cell(value: Any) -> Any:
    """Text that no spreadsheet calculates.

    >>> [safe_cell(value) for value in ("=1+1", "-1.5", -1.5, "ann", None)]
    ["'=1+1", "'-1.5", -1.5, 'ann', None]
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return safe_cell(orjson.dumps(value).decode())
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else safe_cell(value)


def _write_csv(path: Path, columns: pa.Schema, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([safe_cell(name) for name in columns.names])
        writer.writerows([_csv_cell(row[name]) for name in columns.names] for row in rows)


def _write_parquet(path: Path, columns: pa.Schema, rows: Sequence[Row]) -> None:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=columns), path)


def _write_lines(path: Path, _: pa.Schema, rows: Sequence[Row]) -> None:
    with path.open("wb") as handle:
        for row in rows:
            handle.write(orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z) + b"\n")


_WRITERS: Mapping[str, Callable[[Path, pa.Schema, Sequence[Row]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
}

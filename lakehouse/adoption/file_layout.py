"""How a table of text is laid out: the mark between its cells, and whether its first row names the columns. Told by rows, not by the first line alone."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lakehouse.adoption import shapes
from lakehouse.adoption.column_names import is_known
from lakehouse.config import Config
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record_files import records

_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_ROWS = 200  # that are looked at
_WHOLE = 0.95  # share of rows that must have a cell for every column
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """declared: what a source says of it under `format`. evidence: a sentence each."""

    declared: Mapping[str, Any]
    evidence: tuple[str, ...] = ()

    @property
    def format(self) -> FileFormat:
        return FileFormat(**self.declared)


def layout(path: Path, config: Config) -> Layout:
    """Of JSON and Parquet nothing needs to be said.

    Raises:
        SourceError: the file cannot be read.
    """
    if not _is_table_of_text(path):
        return Layout(declared={})
    mark, wide = max(((mark, _columns(path, mark, config)) for mark in _MARKS), key=lambda one: one[1])
    if wide < 2:
        return Layout(declared={}, evidence=("one column",))
    evidence = (
        f"{_MARKS[mark]} between its {wide:,} columns, in all but {100 - 100 * _WHOLE:.0f} % of the first rows",
    )
    declared = (
        {} if _columns(path, None, config) == wide else {"delimiter": mark}
    )  # the reader sees it itself, file by file
    if (told := _without_header(path, mark, config)) is None:
        return Layout(declared=declared, evidence=evidence)
    columns = [f"column_{number}" for number in range(1, wide + 1)]
    return Layout(declared={**declared, "columns": columns}, evidence=(*evidence, told))


def _is_table_of_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4)
    with gzip.open(path) if start[:2] == _GZIP else path.open("rb") as unpacked:
        look = unpacked.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    return start != _PARQUET and not look.startswith((b"{", b"["))


def _sample(path: Path, mark: str | None, config: Config) -> list[Mapping[str, Any]]:
    found = islice(records(path, FileFormat(delimiter=mark), config), _ROWS)
    return [{} if record.content is None else record.content for record in found]


def _columns(path: Path, mark: str | None, config: Config) -> int:
    """Columns by this mark, where nearly all rows have a cell for each; 0 = it is another."""
    rows = _sample(path, mark, config)
    wide = max((len(row) for row in rows), default=0)
    whole = sum(len(row) == wide for row in rows)
    return wide if rows and whole >= _WHOLE * len(rows) else 0


def _without_header(path: Path, mark: str, config: Config) -> str | None:
    """Why the first row is a record like any other; None = it names the columns."""
    rows = _sample(path, mark, config)
    names = list(rows[0]) if rows else []
    if any("@" in name for name in names):
        return "no header: an e-mail address stands in its first row"
    typed = [name for name in names if _is_typed([str(row.get(name) or "").strip() for row in rows])]
    if typed and all(_is_typed([name.strip()]) for name in typed) and not any(map(is_known, names)):
        return f"no header: its first row has numbers or times where the {len(typed):,} columns of them have"
    return None


def _is_typed(cells: list[str]) -> bool:
    said = {cell: 1 for cell in cells if cell}
    return bool(said) and (shapes.numbers(said) is not None or shapes.times(said) is not None)

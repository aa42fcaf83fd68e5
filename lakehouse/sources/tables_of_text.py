"""Flat text, CSV and its kin, as companies' tools write it -> records. Nothing is guessed in silence: what is strange is a fault of its row.

Told by the file itself where the source does not say: the byte order mark, the mark between cells, the end of lines. Bytes that are not
UTF-8 are read as Windows-1252, line by line, because such files are pasted together. A second header in the middle, as pasted files have
it, too, holds for the rows below it.

A quote that nobody closes is a fault of its line, and reading goes on with the next: else the cell would go on to the end of the file.
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import chain
from typing import IO, Any, Self

from lakehouse.events.traits import snake_case
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record import ROWS, Record

LONGEST_CELL = 1_000_000
MOST_LINES = 1000  # of a row, whose cells in quotes may hold line ends
_PIECE = 1 << 16
_MARKS = (",", ";", "\t", "|")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = "\ufeff"
_OTHER = "cp1252"
_QUOTED = re.compile(r'"[^"]*(?:"|\Z)')
_BLANKS = re.compile(r'("[^"]*")| +')
_SAME_HEADER = (
    0.6  # share of a row's cells, and of the header's, that are the same names: from it on the row is a header
)
_DATA = re.compile(r"@|\A[^\w\s]?[0-9]")  # an address; a number, or a date
_KEPT_AS_TEXT = re.compile(r"'[+-]?[0-9][0-9 ().,/-]*\Z")
_ANOTHER_HEADER = "row: got another header, which names the columns of the rows below it, expected a record"


def records(file: IO[bytes], format_: FileFormat) -> Iterator[Record]:
    """The records of the file, whose first byte is the next to be read."""
    return _rows(_lines(file, format_.encoding), format_)


def row_of(line: str, format_: FileFormat) -> Record:
    """The record of one line of a table whose columns have no header."""
    return next(_rows(iter([line]), format_), Record(1, None, "row: cells expected", line))


def _lines(file: IO[bytes], encoding: str | None) -> Iterator[str]:
    """With their ends, which a cell in quotes may hold."""
    if encoding is not None:
        yield from TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
        return
    for number, line in enumerate(_ended(file)):
        if number == 0 and line.startswith(_UTF_16):
            file.seek(0)
            yield from TextIOWrapper(file, encoding="utf-16", errors="replace", newline="")
            return
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode(_OTHER, "replace")
        yield text.removeprefix(_UTF_8_MARK) if number == 0 else text


def _single_blanks(line: str) -> str:
    """Of columns that blanks bring below each other: one between two cells, none before the first."""
    cells = line.rstrip("\r\n")
    return _BLANKS.sub(lambda found: found[1] or " ", cells.strip(" ")) + line[len(cells) :]


def _ended(file: IO[bytes]) -> Iterator[bytes]:
    """Lines by their ends: a carriage return is one where there is no other, as old Macs and Excel for them write."""
    look = file.read(_PIECE)
    file.seek(0)
    if b"\n" in look or b"\r" not in look:
        yield from file
        return
    rest = b""
    while piece := file.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\r")
        yield from (line + b"\r" for line in lines)
    yield rest


class _Lines:
    """Lines for a reader of rows, which takes as many as a row has. Those that turn out to be of no row but the first are read again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._taken: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        if len(self._taken) > MOST_LINES:
            raise csv.Error(f"no closing quote in {MOST_LINES:,} lines")
        return line

    def done(self) -> None:
        """What was taken is a row."""
        self._taken.clear()

    def only_first(self) -> str:
        """The first line that was taken, which is no row; the others come again."""
        first, *others = self._taken or [""]
        self._again.extendleft(reversed(others))
        self._taken.clear()
        return first


def _rows(text: Iterator[str], format_: FileFormat) -> Iterator[Record]:
    text = map(_single_blanks, text) if format_.delimiter == " " else text
    first = next(text, "")
    csv.field_size_limit(LONGEST_CELL)
    lines = _Lines(chain([first], text))
    reader = csv.reader(lines, strict=True, **_dialect(first, format_))
    header: Counter[str] = Counter()  # its names, as they stood
    columns = list(format_.columns)
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            fault = f"row: cells that can be read expected ({error})"
            yield Record(number, None, fault, lines.only_first().rstrip("\r\n"))
            continue
        lines.done()
        if not any(cells):
            continue
        if not columns:
            header, columns = _names(cells), _named(cells, format_)
            continue
        if _is_header(cells, header):
            before, columns = columns, _named(cells, format_)
            if columns != before:
                header = _names(cells)
                number += 1
                yield Record(number, None, _ANOTHER_HEADER, "\t".join(cells))
            continue
        number += 1
        yield _record(number, cells, columns)


def _dialect(first: str, format_: FileFormat) -> dict[str, Any]:
    delimiter = format_.delimiter or max(_MARKS, key=lambda mark: _QUOTED.sub("", first).count(mark))
    quoting = {"quotechar": format_.quote} if format_.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return {"delimiter": delimiter, **quoting}


def _names(cells: Iterable[str]) -> Counter[str]:
    return Counter(name for cell in cells if (name := cell.strip()))


def _named(cells: Iterable[str], format_: FileFormat) -> list[str]:
    """Names of columns; one without a name is called by its place, and a second one of a name by its number."""
    times: Counter[str] = Counter()
    names = []
    for place, cell in enumerate(cells, start=1):
        name = cell.strip() or f"column {place}"
        name = _in_snake_case(name) if format_.header == "snake_case" else name
        times[name] += 1
        names.append(name if times[name] == 1 else f"{name} {times[name]}")
    return names


def _in_snake_case(name: str) -> str:
    return re.sub(r"[^\w]+", "_", snake_case(name)).strip("_")


def _is_header(cells: Sequence[str], header: Counter[str]) -> bool:
    """Whether a row names columns as the header before it did: most of them, none more often, and nothing beside that is data."""
    known = [name for cell in cells if (name := cell.strip()) in header]
    if len(known) < 2:
        return False
    filled = [name for cell in cells if (name := cell.strip())]
    return (
        len(known) >= _SAME_HEADER * max(len(filled), header.total())
        and Counter(known) <= header
        and not any(_DATA.search(name) for name in filled if name not in header)
    )


def _record(number: int, cells: Sequence[str], columns: Sequence[str]) -> Record:
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        fault = f"row: got {len(cells)} cells, expected the {len(columns)} of the header"
        return Record(number, None, fault, "\t".join(cells))
    return Record(number, dict(zip(columns, map(_bare, cells), strict=False)))


def _bare(cell: str) -> str:
    """Without the apostrophe that keeps spreadsheets from calculating with a number or a telephone number."""
    return cell[1:] if cell.startswith("'") and _KEPT_AS_TEXT.match(cell) else cell


def grouped(rows: Iterator[Record], column: str) -> Iterator[Record]:
    """Consecutive rows with one value of the column as one record; between them may stand what is no row. Without a value a row is alone.

    Rows of a record that come later in the file are faults: they would be another state of it, without the lines of the first.
    """
    fault = f"{column}: the rows of one record together expected. Sort the file by it"
    done: set[str] = set()
    together: list[Record] = []
    key = ""
    for record in rows:
        if record.content is None:
            yield record
            continue
        own = str(record.content.get(column) or "")
        if own and own == key:
            together.append(record)
            continue
        if together:
            done.add(key)
            yield _merged(together)
        if own and own in done:
            key, together = "", []
            yield Record(record.row, None, fault, "\t".join(map(str, record.content.values())))
        else:
            key, together = own, [record]
    if together:
        yield _merged(together)


def _merged(rows: Sequence[Record]) -> Record:
    """Of each column the first that says something; and the rows themselves."""
    contents = [row.content for row in rows if row.content is not None]
    merged: dict[str, Any] = {}
    for content in contents:
        merged |= {name: value for name, value in content.items() if value not in ("", None) and name not in merged}
    return Record(rows[0].row, {**merged, ROWS: contents})

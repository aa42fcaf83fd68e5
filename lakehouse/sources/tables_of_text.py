"""Flat text, CSV and its kin, as companies' tools write it -> records. Nothing is guessed in silence: what is strange is a fault of its row.

Told by the file itself where the source does not say: the byte order mark, the mark between cells, the end of lines. Bytes that are not
UTF-8 are read as Windows-1252, line by line, because such files are pasted together. A second header in the middle, as pasted files have
it, too, holds for the rows below it.

A quote that nobody closes is a fault of its line, and reading goes on with the next: else the cell would go on to the end of the file.
What only databases and Spark write is read where nothing else can be meant: a backslash before a quote, and one before an N for nothing.
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
_UTF_8_MARK = "\ufeff"
_OTHER = "cp1252"
_QUOTED = re.compile(r'"[^"]*(?:"|\Z)')
_BLANKS = re.compile(r'("[^"]*")| +')
_SAME_HEADER = (
    0.6  # share of a row's cells, and of the header's, that are the same names: from it on the row is a header
)
_DATA = re.compile(r"@|\A[^\w\s]?[0-9]")  # an address; a number, or a date
_KEPT_AS_TEXT = re.compile(r"'[+-]?[0-9][0-9 ().,/-]*\Z")
_FORMULA_OF_TEXT = re.compile(r'="([^"]*)"\Z')
_OF_EXCEL = re.compile(r'"?sep=(.)"?\s*\Z', re.IGNORECASE | re.DOTALL)  # its own first line, before the header
_NULL = "\\N"
_ANOTHER_HEADER = "row: got another header, which names the columns of the rows below it, expected a record"


def records(file: IO[bytes], format_: FileFormat, encoding: str | None) -> Iterator[Record]:
    """The records of the file, whose first byte is the next to be read. `encoding`: None = UTF-8, and Windows-1252 where a line is none."""
    return _rows(_lines(file, encoding), format_)


def row_of(line: str, format_: FileFormat) -> Record:
    """The record of one line of a table whose columns have no header."""
    return next(_rows(iter([line]), format_), Record(1, None, "row: cells expected", line))


def _lines(file: IO[bytes], encoding: str | None) -> Iterator[str]:
    """With their ends, which a cell in quotes may hold."""
    if encoding is not None:
        yield from TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
        return
    for number, line in enumerate(_ended(file)):
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

    def have(self, text: str) -> bool:
        """Whether it stands in what was taken."""
        return any(text in line for line in self._taken)

    def again(self) -> Self:
        """What was taken is no row as it was read; it comes again."""
        self._again.extendleft(reversed(self._taken))
        self._taken.clear()
        return self

    def only_first(self) -> str:
        """The first line that was taken, which is no row; the others come again."""
        first, *others = self._taken or [""]
        self._again.extendleft(reversed(others))
        self._taken.clear()
        return first


def _rows(text: Iterator[str], format_: FileFormat) -> Iterator[Record]:
    text = map(_single_blanks, text) if format_.delimiter == " " else text
    first = next(text, "")
    delimiter = format_.delimiter
    if (of_excel := _OF_EXCEL.match(first)) is not None:
        first, delimiter = next(text, ""), delimiter or of_excel[1]
    csv.field_size_limit(LONGEST_CELL)
    lines = _Lines(chain([first], text))
    dialect = _dialect(first, delimiter, format_.quote)
    reader = csv.reader(lines, strict=True, **dialect)
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
            if len(escaped := _by_backslash(lines, dialect)) == len(columns) > 0:
                lines.done()
                yield _record(number, escaped, columns)
            else:
                fault = f"row: cells that can be read expected ({error})"
                yield Record(number, None, fault, lines.only_first().rstrip("\r\n"))
            continue
        lines.done()
        if not any(cells):
            continue
        if not columns:
            header, columns = _names(cells), named(cells, format_.header)
            continue
        if _is_header(cells, header):
            before, columns = columns, named(cells, format_.header)
            if columns != before:
                header = _names(cells)
                number += 1
                yield Record(number, None, _ANOTHER_HEADER, "\t".join(cells))
            continue
        number += 1
        yield _record(number, cells, columns)


def _dialect(first: str, delimiter: str | None, quote: str) -> dict[str, Any]:
    delimiter = delimiter or max(_MARKS, key=lambda mark: _QUOTED.sub("", first).count(mark))
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return {"delimiter": delimiter, **quoting}


def _by_backslash(lines: _Lines, dialect: dict[str, Any]) -> list[str]:
    """The cells of a row whose quotes inside of quotes have a backslash before them; none of what cannot be read so, either."""
    quote: str | None = dialect["quotechar"]
    if quote is None or not lines.have(f"\\{quote}"):
        return []
    before_quotes = re.compile(rf"(\\+){re.escape(quote)}")

    def doubled(found: re.Match[str]) -> str:
        backslashes, is_escaped = divmod(len(found[1]), 2)
        return "\\" * backslashes + quote * (1 + is_escaped)

    try:
        return next(
            csv.reader((before_quotes.sub(doubled, line) for line in lines.again()), strict=True, **dialect), []
        )
    except csv.Error:
        return []


def _names(cells: Iterable[str]) -> Counter[str]:
    return Counter(name for cell in cells if (name := cell.strip()))


def named(cells: Iterable[str], header: str) -> list[str]:
    """Names of columns, none twice; one without a name is called by its place, and a second one of a name by its number. `header`: as in FileFormat.

    What is named so is named so again.
    """
    mark = "_" if header == "snake_case" else " "
    times: Counter[str] = Counter()
    names: dict[str, None] = {}
    for place, cell in enumerate(cells, start=1):
        said = _in_snake_case(cell) if mark == "_" else cell.strip()
        own = name = said or f"column{mark}{place}"
        while name in names:
            times[own] += 1
            name = f"{own}{mark}{times[own] + 1}"
        names[name] = None
    return list(names)


def _in_snake_case(name: str) -> str:
    return re.sub(r"[^\w]+", "_", snake_case(name.strip())).strip("_")


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
    """Without the apostrophe, or the formula, that keeps spreadsheets from calculating with a number or a telephone number."""
    if cell.startswith("'") and _KEPT_AS_TEXT.match(cell):
        return cell[1:]
    if cell.startswith("=") and (text := _FORMULA_OF_TEXT.match(cell)) is not None:
        return text[1]
    return "" if cell == _NULL else cell


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

"""What goes together with what, over the rows of a file: the rows of one order, ids and addresses, amounts and quantities. One pass, pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from lakehouse.adoption.table import Row

MOST_ROWS = 2_000_000
_MOST_TOLD = 200_000  # values of a column whose company is kept
_MOST_COMPANY = 4
_NEAR = Decimal("0.015")  # of an amount: discounts aside, two prices of one thing differ by less


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The places of the columns to look at. keys: of what may be one order; ids, addresses: what may name somebody; persons: all that may.

    line: (product, quantity, amount) of a line, where all three are there.
    """

    keys: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    line: tuple[str, str, str] | None = None


@dataclass
class Runs:
    """Rows that have one value of a key and stand together.

    keys: distinct values; apart: rows whose value came before, in other rows; longest: rows of the longest; several: runs of more than one
    row; varying: column -> runs of several rows where it says different things.
    """

    keys: int = 0
    apart: int = 0
    longest: int = 0
    several: int = 0
    varying: dict[str, int] = field(default_factory=dict)


@dataclass
class Company:
    """value -> the values of another column that it was seen with, up to _MOST_COMPANY."""

    seen: dict[str, set[str]] = field(default_factory=dict)

    def add(self, value: str, other: str) -> None:
        others = self.seen.get(value)
        if others is None:
            if len(self.seen) < _MOST_TOLD:
                self.seen[value] = {other}
        elif len(others) < _MOST_COMPANY:
            others.add(other)

    @property
    def alone(self) -> float:
        """Share of the values that were seen with one other only."""
        return sum(len(others) == 1 for others in self.seen.values()) / len(self.seen) if self.seen else 0.0


@dataclass
class CoOccurrence:
    """runs: by key. company: (column, other) -> what its values were seen with. nobody: rows that say none of the persons.

    per_piece, per_line: pairs of lines of one product in other quantities whose amounts are the same, or grow with the quantity.
    """

    rows: int = 0
    runs: dict[str, Runs] = field(default_factory=dict)
    company: dict[tuple[str, str], Company] = field(default_factory=dict)
    nobody: int = 0
    per_piece: int = 0
    per_line: int = 0


def co_occurrence(rows: Iterable[Row], asked: Asked) -> CoOccurrence:
    found = CoOccurrence(runs={key: Runs() for key in asked.keys})
    runs = {key: _Run(found.runs[key]) for key in asked.keys}
    pairs = [(one, other) for one in asked.ids for other in asked.addresses]
    pairs += [(other, one) for one, other in pairs]
    pairs += [(one, other) for one in asked.keys for other in asked.keys if one != other]
    pairs += [(one, key) for one in asked.ids for key in asked.keys]
    pairs += [(one, other) for one in asked.ids for other in asked.ids if one != other]
    found.company = {pair: Company() for pair in pairs}
    lines: dict[str, tuple[Decimal, Decimal]] = {}
    for row in rows:
        found.rows += 1
        for key, run in runs.items():
            run.add(row.get(key), row)
        for (one, other), company in found.company.items():
            if one in row and other in row:
                company.add(row[one], row[other])
        found.nobody += not any(person in row for person in asked.persons)
        if asked.line is not None:
            _compare(row, asked.line, lines, found)
    for run in runs.values():
        run.end()
    return found


class _Run:
    def __init__(self, counts: Runs) -> None:
        self._counts = counts
        self._done: set[str] = set()
        self._key: str | None = None
        self._first: Row = {}
        self._varying: set[str] = set()
        self._length = 0

    def add(self, key: str | None, row: Row) -> None:
        if key is not None and key == self._key:
            self._length += 1
            for column, text in row.items():
                if self._first.setdefault(column, text) != text:
                    self._varying.add(column)
            return
        self.end()
        if key is None:
            return
        if key in self._done:
            self._counts.apart += 1
        self._done.add(key)
        self._key, self._first, self._length = key, dict(row), 1

    def end(self) -> None:
        counts = self._counts
        counts.keys = len(self._done)
        if self._length > 1:
            counts.several += 1
            for column in self._varying:
                counts.varying[column] = counts.varying.get(column, 0) + 1
        counts.longest = max(counts.longest, self._length)
        self._key, self._length = None, 0
        self._varying.clear()


def _compare(
    row: Row, line: tuple[str, str, str], lines: dict[str, tuple[Decimal, Decimal]], found: CoOccurrence
) -> None:
    """Whether an amount is of one piece or of the line is told by lines of one product in other quantities."""
    product = row.get(line[0])
    quantity, amount = (number(row.get(column)) for column in line[1:])
    if product is None or not quantity or not amount or quantity < 0 or amount < 0:
        return
    before = lines.get(product)
    if before is None or before[0] == quantity:
        if len(lines) < _MOST_TOLD:
            lines[product] = (quantity, amount)
        return
    is_per_piece = _is_near(amount, before[1])
    is_per_line = _is_near(amount / quantity, before[1] / before[0])
    if is_per_piece != is_per_line:
        found.per_piece += is_per_piece
        found.per_line += is_per_line


def _is_near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= _NEAR * max(abs(one), abs(other))


def number(text: str | None) -> Decimal | None:
    """A number by whichever mark; only to be compared with others of its column."""
    if text is None:
        return None
    bare = text.replace(" ", "")
    if "," in bare:
        bare = bare.replace(".", "").replace(",", ".") if bare.rfind(",") > bare.rfind(".") else bare.replace(",", "")
    try:
        read = Decimal(bare)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None

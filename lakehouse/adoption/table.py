"""Counts of every column of a file: one pass, bounded in memory, over the whole file unless that is very large. No value leaves it but as a count."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from lakehouse.adoption import shapes
from lakehouse.adoption.shapes import Numbers, Times
from lakehouse.events.document import says_nothing, text_of
from lakehouse.events.personal_data import kind_of
from lakehouse.sources.record import Record

MOST_CELLS = 40_000_000  # that are looked at
MOST_VALUES = 300_000  # distinct ones of a column that are told apart
_ROWS_AT_ONCE = 5_000
_DEEPEST = 4  # objects in objects
_PLAIN_NAME = re.compile(r"[^.\[\]`]+")
Row = dict[str, str]  # place -> what stands there, as text; what says nothing is not in it


@dataclass
class Column:
    """One column, or one place of a JSON object.

    place: as a source names it. filled: cells that say something. values: text -> cells, of the first MOST_VALUES; others: cells of any later one.
    lists: cells that hold a list, which is not looked into.
    """

    name: str
    place: str
    filled: int = 0
    values: Counter[str] = field(default_factory=Counter)
    others: int = 0
    lists: int = 0

    def add(self, texts: list[str]) -> None:
        self.filled += len(texts)
        if not self.others and len(self.values) + len(texts) <= MOST_VALUES:
            self.values.update(texts)
            return
        for text in texts:
            if text in self.values or len(self.values) < MOST_VALUES:
                self.values[text] += 1
            else:
                self.others += 1

    @property
    def distinct(self) -> int:
        """At least so many."""
        return len(self.values) + (1 if self.others else 0)

    @property
    def is_unique(self) -> bool:
        """No value was seen twice, as far as they are told apart."""
        return self.filled > 0 and len(self.values) + self.others == self.filled

    @cached_property
    def numbers(self) -> Numbers | None:
        return shapes.numbers(self.values) if self.values else None

    @cached_property
    def times(self) -> Times | None:
        return shapes.times(self.values) if self.values else None

    def share(self, holds: Any, most: int = 2_000) -> float:
        """Share of its values, of the first `most`, for which `holds` says yes."""
        looked = list(islice(self.values, most))
        return sum(bool(holds(value)) for value in looked) / len(looked) if looked else 0.0


@dataclass
class Table:
    """rows: that were read. faults: why a row was none -> rows. is_whole: the file ended before MOST_CELLS."""

    rows: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    columns: dict[str, Column] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def filled(self) -> Mapping[str, Column]:
        """The columns that say something anywhere."""
        return {name: column for name, column in self.columns.items() if column.filled}


def table(records: Iterable[Record]) -> Table:
    """`records`: one a row of the file."""
    found = Table()
    cells = 0
    waiting = iter(records)
    while batch := list(islice(waiting, _ROWS_AT_ONCE)):
        texts: dict[str, list[str]] = {}
        for record in batch:
            found.rows += 1
            if record.content is None:
                found.faults[record.fault or "row: a record expected"] += 1
                continue
            for name, place, value in flat(record.content):
                column = found.columns.get(place)
                if column is None:
                    # A file without a header has somebody's values for names.
                    shown = f"column {len(found.columns) + 1}" if kind_of(name) else name
                    column = found.columns[place] = Column(shown, place)
                cells += 1
                if isinstance(value, list):
                    column.lists += 1
                elif (text := _said(value)) is not None:
                    texts.setdefault(place, []).append(text)
        for place, said in texts.items():
            found.columns[place].add(said)
        if cells >= MOST_CELLS:
            found.is_whole = next(waiting, None) is None
            break
    return found


def rows(records: Iterable[Record], most: int) -> Iterator[Row]:
    """The same rows again, up to `most`, for what is asked of several columns at once."""
    for record in islice(records, most):
        if record.content is not None:
            yield {
                place: text
                for _, place, value in flat(record.content)
                if not isinstance(value, list) and (text := _said(value)) is not None
            }


def flat(
    content: Mapping[str, Any], above: tuple[str, str] = ("", ""), depth: int = 1
) -> Iterator[tuple[str, str, Any]]:
    """Name, place and value of every cell; what lies in an object under the names of both."""
    for key, value in content.items():
        name = f"{above[0]} {key}".strip()
        quoted = _quoted(key)
        place = f"{above[1]}.{quoted}" if above[1] else quoted
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from flat(value, (name, place), depth + 1)
        else:
            yield name, place, value


@lru_cache(maxsize=20_000)
def _quoted(key: str) -> str:
    return key if _PLAIN_NAME.fullmatch(key) else f"`{key}`"


def _said(value: Any) -> str | None:
    if value.__class__ is str:
        return value.strip() or None
    return None if says_nothing(value) else text_of(value)

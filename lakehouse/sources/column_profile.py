"""What a column of a file looks like: how much of it is filled, in which shapes, and which of its numbers and times stand out. Never a value."""

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lakehouse.events import clock
from lakehouse.events.document import says_nothing
from lakehouse.events.shapes import TEXT, kind

MOST_ROWS = 5  # numbers of rows that are told, of what stands out
MOST_NUMBERS = 1_000_000  # of a column that are weighed; those behind are not
OTHER = "others"
_MOST_SHAPES, _LONGEST_SHAPE = 200, 24
_FEWEST = 10  # numbers, below which none stands out
# Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993): a modified z-score above 3.5. The factors make both spreads a standard
# deviation where numbers are normal; the second stands in where more than half of them are the same.
_FAR, _OF_MEDIAN, _OF_MEAN = 3.5, 1.4826, 1.2533
_PIECES = re.compile(r"(?P<letters>[^\W\d_]+)|(?P<digits>\d+)|(?P<blank>\s+)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_1900 = -2_208_988_800_000_000  # microseconds since 1970
_DAY = 86_400_000_000


@dataclass
class Measure:
    """Numbers of a column, and the rows they stand in."""

    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    rows: "array[int]" = field(default_factory=lambda: array("q"))

    def take(self, number: float, row: int) -> None:
        if len(self.numbers) < MOST_NUMBERS:
            self.numbers.append(number)
            self.rows.append(row)

    def outliers(self) -> list[int]:
        """The rows of numbers that stand far from the others."""
        far = far_out(np.frombuffer(self.numbers, dtype=np.float64)) if len(self.numbers) else np.zeros(0, dtype=bool)
        return [self.rows[at] for at in np.flatnonzero(far).tolist()]


@dataclass
class Column:
    """filled: cells that say something. shapes: of texts, kinds of all else -> cells. implausible: rows of times before 1900 or ahead."""

    filled: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    implausible: list[int] = field(default_factory=list)

    def take(self, value: Any, row: int, now: int) -> None:
        """One cell more. `now`: microseconds since 1970."""
        if says_nothing(value):
            return
        self.filled += 1
        said = shape(value)
        self.shapes[said if said in self.shapes or len(self.shapes) < _MOST_SHAPES else OTHER] += 1
        if isinstance(value, str) and _DATE.match(value) and is_implausible(clock.instant(value), now):
            self.implausible.append(row)


def is_implausible(micros: int | None, now: int) -> bool:
    """Whether a moment is before 1900 or more than a day ahead; `micros`, `now`: since 1970."""
    return micros is not None and not _1900 <= micros <= now + _DAY


def shape(value: Any) -> str:
    """Letters as A, digits as 9, however many; marks as they are. Of what is no text, its kind.

    >>> shape("Änne-Sophie 04103"), shape("+1 202 555"), shape("a.b@c.de"), shape(7), shape([1])
    ('A-A 9', '+9 9 9', 'A.A@A.A', 'whole number', 'list')
    """
    if isinstance(value, list | tuple):
        return "list"
    if (said := kind(value)) != TEXT or not isinstance(value, str):
        return said
    made = _PIECES.sub(lambda found: {"letters": "A", "digits": "9"}.get(found.lastgroup or "", " "), value.strip())
    return made if len(made) <= _LONGEST_SHAPE else f"{made[: _LONGEST_SHAPE - 1]}…"


def far_out(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which numbers stand far from the median, by the median of all distances from it."""
    if len(numbers) < _FEWEST:
        return np.zeros(len(numbers), dtype=bool)
    distances = np.abs(numbers - np.median(numbers))
    spread = float(np.median(distances)) * _OF_MEDIAN or float(np.mean(distances)) * _OF_MEAN
    return np.asarray(distances > _FAR * spread) if spread > 0 else np.zeros(len(numbers), dtype=bool)

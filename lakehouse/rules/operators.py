"""What rules can compute, in Python: one function for each operator, SQL's meaning to the letter. None is null.

Values: numbers are doubles as in Java (NaN equals NaN and is above everything, 0.0 equals -0.0); times are microseconds
since 1970; a day is one of UTC. lakehouse/rules/column.py has the same operators for Spark; a property test holds the
two equal. Letters change case from A to Z only: the whole of Unicode is not the same in Java and in Python.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Value = object
SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
UNITS: Mapping[str, int] = {"SECOND": SECOND, "MINUTE": MINUTE, "HOUR": HOUR, "DAY": DAY, "WEEK": 7 * DAY}
_UPPER = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_LOWER = {after: before for before, after in _UPPER.items()}
_EPOCH = datetime.fromtimestamp(0, UTC)
_SUNDAY_OFFSET = 4  # 1970-01-01 was a Thursday; Sunday is day 1, as in Spark's dayofweek


def order(left: Value, right: Value) -> int:
    """-1, 0 or 1. Doubles as java.lang.Double.compare, but 0.0 and -0.0 are equal; text by code point."""
    if left == right:
        return 0
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left):
            return 0 if math.isnan(right) else 1
        if math.isnan(right):
            return -1
    return -1 if left < right else 1  # type: ignore[operator] # the parser has made the types alike


def _strict(function: Callable[..., Value]) -> Callable[..., Value]:
    """Null as soon as one argument is."""

    def apply(*arguments: Value) -> Value:
        return None if None in arguments else function(*arguments)

    return apply


def _same(left: Value, right: Value) -> bool:
    return order(left, right) == 0


def _null_safe(left: Value, right: Value) -> bool:
    return (left is None and right is None) if left is None or right is None else _same(left, right)


def _extreme(sign: int) -> Callable[..., Value]:
    """Greatest (1) or least (-1) of what is not null; the first of equals."""

    def apply(*arguments: Value) -> Value:
        best: Value = None
        for argument in arguments:
            if argument is not None and (best is None or order(argument, best) * sign > 0):
                best = argument
        return best

    return apply


def is_in(value: Value, *among: Value) -> bool | None:
    if value is None:
        return None
    if any(member is not None and _same(value, member) for member in among):
        return True
    return None if None in among else False


def try_divide(left: float, right: float) -> float | None:
    return None if right == 0 else left / right


def _multiply(left: float, right: float) -> float:
    return left * right


@lru_cache(maxsize=4096)
def pattern(like: str) -> re.Pattern[str]:
    """LIKE: `%` any text, `_` one character, also a line's end; no escape."""
    parts = (".*" if part == "%" else "." if part == "_" else re.escape(part) for part in re.split("([%_])", like))
    return re.compile("".join(parts), re.DOTALL)


def _day(micros: int) -> int:
    return micros // DAY


def _between(unit: int) -> Callable[[int, int], float]:
    """Whole units from the first time to the second, toward zero."""

    def apply(start: int, end: int) -> float:
        whole = abs(end - start) // unit
        return float(whole if end >= start else -whole)

    return apply


def _shifted(zone: str) -> Callable[[int], int | None]:
    """The clock on the wall in `zone`, as microseconds since 1970 of a clock that knows no zone."""
    information = ZoneInfo(zone)

    def apply(micros: int) -> int | None:
        try:
            offset = (_EPOCH + timedelta(microseconds=micros)).astimezone(information).utcoffset()
        except OverflowError:
            return None
        assert offset is not None
        return micros + int(offset.total_seconds()) * SECOND

    return apply


# Operators that see all their arguments' values, by name. `and`, `or`, `if` and `coalesce` look at fewer: evaluate.py.
SIMPLE: Mapping[str, Callable[..., Value]] = {
    "not": _strict(lambda value: not value),
    "is_null": lambda value: value is None,
    "=": _strict(_same),
    "<>": _strict(lambda left, right: not _same(left, right)),
    "<": _strict(lambda left, right: order(left, right) < 0),
    "<=": _strict(lambda left, right: order(left, right) <= 0),
    ">": _strict(lambda left, right: order(left, right) > 0),
    ">=": _strict(lambda left, right: order(left, right) >= 0),
    "<=>": _null_safe,
    "in": is_in,
    "like": _strict(lambda value, like: pattern(like).fullmatch(value) is not None),
    "+": _strict(lambda left, right: left + right),
    "-": _strict(lambda left, right: left - right),
    "*": _strict(_multiply),
    "/": _strict(try_divide),
    "negative": _strict(lambda value: -value),
    "abs": _strict(abs),
    "greatest": _extreme(1),
    "least": _extreme(-1),
    "lower": _strict(lambda value: value.lower() if value.isascii() else value.translate(_UPPER)),
    "upper": _strict(lambda value: value.translate(_LOWER)),
    "trim": _strict(lambda value: value.strip(" ")),
    "length": _strict(lambda value: float(len(value))),
    "concat": _strict(lambda *parts: "".join(parts)),
    "contains": _strict(lambda value, part: part in value),
    "startswith": _strict(lambda value, part: value.startswith(part)),
    "endswith": _strict(lambda value, part: value.endswith(part)),
    "size": _strict(lambda values: float(len(values))),
    "array_contains": _strict(lambda values, value: value in values),
    "arrays_overlap": _strict(lambda left, right: not set(left).isdisjoint(right)),
    "array": lambda *values: tuple(values),
    "hour": _strict(lambda micros: float(micros % DAY // HOUR)),
    "minute": _strict(lambda micros: float(micros % HOUR // MINUTE)),
    "dayofweek": _strict(lambda micros: float((_day(micros) + _SUNDAY_OFFSET) % 7 + 1)),
    "datediff": _strict(lambda end, start: float(_day(end) - _day(start))),
}
LAZY = frozenset({"and", "or", "if", "coalesce"})


def shift(by: int) -> Callable[..., Value]:
    """A time moved by so many microseconds."""
    return _strict(lambda micros: micros + by)


def units_between(unit: int) -> Callable[..., Value]:
    return _strict(_between(unit))


def in_zone(zone: str) -> Callable[..., Value]:
    return _strict(_shifted(zone))

"""Rules in Spark: a checked expression becomes one native column. No text of the rule reaches Spark's parser.

The same operators as lakehouse/rules/operators.py. Numbers are doubles, times are microseconds since 1970, so that
neither the session's time zone nor ANSI mode plays a part; no operator can fail at run time.
"""

from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.rules.expression import Constant, Expression, Read, conjuncts, reads
from lakehouse.rules.operators import DAY, HOUR, MINUTE
from lakehouse.rules.vocabulary import EVENT, SQL_TYPES, VOCABULARY, Type

_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_SUNDAY_OFFSET = 4
_SQL: Mapping[Type, str] = {**SQL_TYPES, "time": "bigint"}
Operator = Callable[..., Column]


def to_column(expression: Expression, word: Callable[[str], Column] = F.col) -> Column:
    """The expression over columns named as the vocabulary, of its SQL types; null where SQL says so. `word`: the column of a name."""
    if isinstance(expression, Constant):
        return _constant(expression)
    if isinstance(expression, Read):
        column = word(expression.name)
        if expression.type == "time":
            return F.unix_micros(column)
        return column.cast("double") if expression.type == "number" else column
    arguments = [to_column(argument, word) for argument in expression.arguments]
    match expression.operator, expression.extra:
        case "shift", int(by):
            return arguments[0] + F.lit(by)
        case "units_between", int(unit):
            return _units_between(arguments[0], arguments[1], unit)
        case "in_zone", str(zone):
            return F.unix_micros(F.from_utc_timestamp(F.timestamp_micros(arguments[0]), zone))
    return OPERATORS[expression.operator](*arguments)


def event_part(expression: Expression) -> Column | None:
    """What must hold of the event alone for the expression to hold; None when the event does not matter.

    Where the rule is true, this is true: the stream may filter by it, and the decision service decides on the whole.
    """
    parts = [part for part in conjuncts(expression) if set(reads(part)) and _is_of_event(part)]
    return reduce(Column.__and__, map(to_column, parts)) if parts else None


def _is_of_event(expression: Expression) -> bool:
    return all(name in VOCABULARY and VOCABULARY[name].group == EVENT for name in reads(expression))


def _constant(constant: Constant) -> Column:
    if constant.type == "texts" and constant.value is not None:
        return F.array(*map(F.lit, constant.value)).cast("array<string>")  # type: ignore[call-overload]
    return F.lit(constant.value).cast(_SQL[constant.type])


def _fold(operator: Callable[[Column, Column], Column]) -> Operator:
    return lambda *arguments: reduce(operator, arguments)


def _units_between(start: Column, end: Column, unit: int) -> Column:
    """Toward zero: the sign is taken off before the whole units are counted."""
    whole = _whole(F.abs(end - start), unit).cast("double")
    return F.when(end >= start, whole).when(end < start, -whole)


def _whole(micros: Column, unit: int) -> Column:
    """Whole units below; exact in bigint, also below zero."""
    return F.call_function("div", micros - F.pmod(micros, F.lit(unit)), F.lit(unit))


def _within(micros: Column, day: int, unit: int) -> Column:
    return _whole(F.pmod(micros, F.lit(day)), unit).cast("double")


OPERATORS: Mapping[str, Operator] = {
    "and": _fold(Column.__and__),
    "or": _fold(Column.__or__),
    "not": lambda value: ~value,
    "if": lambda condition, then, otherwise: F.when(condition, then).otherwise(otherwise),
    "coalesce": F.coalesce,
    "is_null": lambda value: value.isNull(),
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<=>": lambda left, right: left.eqNullSafe(right),
    "in": lambda value, *among: value.isin(*among),
    "like": lambda value, like: F.like(value, like),
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": F.try_divide,
    "negative": lambda value: -value,
    "abs": F.abs,
    "greatest": F.greatest,
    "least": F.least,
    "lower": lambda value: F.translate(value, _UPPER, _LOWER),
    "upper": lambda value: F.translate(value, _LOWER, _UPPER),
    "trim": F.trim,
    "length": lambda value: F.char_length(value).cast("double"),
    "concat": F.concat,
    "contains": lambda value, part: value.contains(part),
    "startswith": lambda value, part: value.startswith(part),
    "endswith": lambda value, part: value.endswith(part),
    "size": lambda values: F.when(values.isNotNull(), F.size(values).cast("double")),
    "array_contains": lambda values, value: F.array_contains(values, value),
    "arrays_overlap": F.arrays_overlap,
    "array": lambda *values: F.array(*values).cast("array<string>"),
    "hour": lambda micros: _within(micros, DAY, HOUR),
    "minute": lambda micros: _within(micros, HOUR, MINUTE),
    "dayofweek": lambda micros: (
        F.pmod(_whole(micros, DAY) + F.lit(_SUNDAY_OFFSET), F.lit(7)).cast("double") + F.lit(1.0)
    ),
    "datediff": lambda end, start: (_whole(end, DAY) - _whole(start, DAY)).cast("double"),
}

"""A verdict: why a record is rejected, as one text `<reason>|<what was wrong>`; null = no fault found.

One text and not a struct, because there are many rules and Spark plans, compiles and evaluates each of them.
"""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

_BAR = "|"


def fault(reason: str, detail: str = "") -> Column:
    """The verdict `reason`; `detail` names fields and what was expected of them, never values."""
    return F.lit(f"{reason}{_BAR}{detail}")


def fault_at(reason: str, place: Column, expected: Column) -> Column:
    """The same for a place and an expectation that are columns."""
    return F.concat(F.lit(f"{reason}{_BAR}"), place, F.lit(": "), expected)


def first(*rules: tuple[Column, Column]) -> Column:
    """The fault of the first (condition, fault) whose condition is true; null when none is."""
    (condition, found), *others = rules
    case = F.when(condition, found)
    for condition, found in others:
        case = case.when(condition, found)
    return case


def if_any(verdicts: Sequence[Column]) -> Column:
    """The verdicts as an array, nulls among them; null where all are: of a good event no array is made or looked through."""
    return F.when(F.coalesce(*verdicts).isNotNull(), F.array(*verdicts))


def together(arrays: Sequence[str]) -> Column:
    """The verdicts in these columns, each once; null = none. A column that is null costs nothing."""
    none = F.array().cast("array<string>")
    told = F.concat(*(F.coalesce(array, none) for array in arrays))
    distinct = F.array_distinct(F.array_compact(told))
    return F.when(F.coalesce(*arrays).isNotNull(), F.nullif(distinct, none))


def reason_of(verdict: Column) -> Column:
    return F.substring_index(verdict, _BAR, 1)


def detail_of(verdict: Column) -> Column:
    """What was wrong; null when the reason says it all."""
    detail = F.substring_index(verdict, _BAR, -1)
    return F.when(detail != "", detail)

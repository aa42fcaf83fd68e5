"""Verdicts as columns, in the form of lakehouse/events/verdict.py. One text and not a struct, because there are many rules and Spark
plans, compiles and evaluates each of them.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import verdict


def fault(reason: str, detail: str = "") -> Column:
    return F.lit(verdict.fault(reason, detail))


def fault_at(reason: str, place: Column, expected: Column) -> Column:
    """The same for a place and an expectation that are columns."""
    return F.concat(F.lit(verdict.fault(reason)), place, F.lit(": "), expected)


def first(*rules: tuple[Column, Column]) -> Column:
    """The fault of the first (condition, fault) whose condition is true; null when none is."""
    (condition, found), *others = rules
    case = F.when(condition, found)
    for condition, found in others:
        case = case.when(condition, found)
    return case

"""A value used more than once in an expression and evaluated once: Spark evaluates it again wherever it is written."""

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F


def bound(value: Column, result: Callable[[Column], Column]) -> Column:
    """`result(value)`, the value evaluated once per row.

    Not compiled but interpreted: for what few rows hold, behind a condition that the others fail.
    """
    return F.get(F.transform(F.array(value), result), F.lit(0))

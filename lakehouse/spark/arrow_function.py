"""A Python function over Arrow arrays as a function over columns."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf


def arrow_function(function: Callable[..., Any], type_: str) -> Callable[..., Column]:
    """`function`: pyarrow arrays of one length in, one array of that length out, of the Spark SQL type `type_`.

    It runs in a Python worker: what it holds stands in no plan, and it has no place in Real-Time Mode.
    """
    make: Any = arrow_udf  # its stubs know no function of columns with a type and nothing else
    made: Callable[..., Column] = make(function, type_)
    return made

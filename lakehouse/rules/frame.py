"""Contexts as a Spark frame, one row each: how rules written for the API are tried in Spark."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from lakehouse.rules.vocabulary import SQL_TYPES, VOCABULARY, Term, Type


def frame_of(
    spark: SparkSession, contexts: Sequence[Mapping[str, object]], words: Mapping[str, Term] = VOCABULARY
) -> DataFrame:
    """Every word as a column of its SQL type, null where a context has none, and `row`: its number."""
    columns = ", ".join(f"{name} {SQL_TYPES[term.type]}" for name, term in words.items())
    schema = T.StructType.fromDDL(f"row int, {columns}")
    rows: list[Any] = [
        (number, *(_typed(context.get(name), term.type) for name, term in words.items()))
        for number, context in enumerate(contexts)
    ]
    return spark.createDataFrame(rows, cast(T.StructType, schema))


def _typed(value: object, type_: Type) -> object:
    """As createDataFrame wants it: doubles for numbers, and times with a zone, UTC unless they name one."""
    if type_ == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    is_local = isinstance(value, datetime) and value.tzinfo is None
    return value.replace(tzinfo=UTC) if is_local and isinstance(value, datetime) else value

"""Contexts as a Spark frame, one row each: how rules written for the API are tried in Spark."""

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from lakehouse.rules.vocabulary import SQL_TYPES, VOCABULARY

_COLUMNS = ", ".join(f"{name} {SQL_TYPES[term.type]}" for name, term in VOCABULARY.items())


def frame_of(spark: SparkSession, contexts: Sequence[Mapping[str, object]]) -> DataFrame:
    """Every word of the vocabulary as a column of its SQL type, null where a context has none, and `row`: its number."""
    schema = T.StructType.fromDDL(f"row int, {_COLUMNS}")
    rows = [
        (number, *(_typed(context.get(name), name) for name in VOCABULARY)) for number, context in enumerate(contexts)
    ]
    return spark.createDataFrame(rows, schema)


def _typed(value: object, name: str) -> object:
    is_number = VOCABULARY[name].type == "number" and isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else value  # type: ignore[arg-type] # mypy does not follow the name

"""A verdict: why a record is rejected. struct<reason:string,detail:string>, null = no fault found."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def reject(condition: Column, reason: str, detail: str | Column | None = None) -> Column:
    """The verdict when `condition` is true; null when it is false or null. `detail` names fields, never values."""
    text = detail if isinstance(detail, Column) else F.lit(detail).cast("string")
    return F.when(condition, F.struct(F.lit(reason).alias("reason"), text.alias("detail")))

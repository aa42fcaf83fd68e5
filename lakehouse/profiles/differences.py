"""Differences between what a table holds and what it should hold."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import Table

FLOAT_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Rows of one table that should be there and are not, are there and should not, or say something else."""

    table: str
    rows: int
    missing: int
    extra: int
    changed: int

    @property
    def total(self) -> int:
        return self.missing + self.extra + self.changed


def compare(table: Table, stored: DataFrame, expected: DataFrame) -> DataFrame:
    """Full outer join by key: the expected columns, and `status` missing, extra, changed or same.

    An extra row has null in every column that is not a key. When a row was written is not what it says. Of a table of profiles
    with validity the rows that hold now are compared.
    """
    key, told = table.key, table.content
    if isinstance(table, ProfileTable) and table.has_history:
        key, told, stored = table.current_key, table.told, stored.where(F.col("valid_to").isNull())
    columns = [column for column in table.columns if column.name in told]
    left = expected.select(*key, *(c.name for c in columns)).withColumn("is_expected", F.lit(True))
    right = stored.select(
        *key, *(F.col(c.name).alias(f"stored_{c.name}") for c in columns), F.lit(True).alias("is_stored")
    )
    differs = F.lit(False)
    for column in columns:
        differs = differs | ~_same(column.type, F.col(column.name), F.col(f"stored_{column.name}"))
    status = (
        F.when(F.col("is_stored").isNull(), "missing")
        .when(F.col("is_expected").isNull(), "extra")
        .when(differs, "changed")
        .otherwise("same")
    )
    joined = left.join(right, on=list(key), how="full_outer").withColumn("status", status)
    return joined.select(*key, *(c.name for c in columns), "status")


def summarise(table: Table, compared: DataFrame) -> Difference:
    counts = {row["status"]: row["count"] for row in compared.groupBy("status").count().collect()}  # four rows at most
    return Difference(
        table=table.name,
        rows=counts.get("same", 0) + counts.get("changed", 0) + counts.get("missing", 0),
        missing=counts.get("missing", 0),
        extra=counts.get("extra", 0),
        changed=counts.get("changed", 0),
    )


def _same(type_: str, expected: Column, stored: Column) -> Column:
    if type_ != "double":
        return expected.eqNullSafe(stored)
    near = F.abs(expected - stored) <= FLOAT_TOLERANCE
    return F.coalesce(near, expected.isNull() & stored.isNull())

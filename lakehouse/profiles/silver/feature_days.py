"""silver.feature_days: what the filters of the declared features let through of one actor on one UTC day, summed.

Stored sums, added once like those of silver.activity_daily: the commit that holds them notes the batch. What is stored under a
definition that is not declared any more stays until a rebuild, and nobody reads it.
"""

from collections.abc import Collection

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.features.partials import PARTIAL, of_facts, summed
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable
from lakehouse.profiles.silver import stored_sums
from lakehouse.tables.contract import required
from lakehouse.tables.people import By, by


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.feature_days."""
    return summed(_facts(leaves))


def _facts(leaves: DataFrame) -> DataFrame:
    """A row for each fact, as partial sums of one."""
    told = leaves.select("actor_id", F.to_date("activity_day").alias("activity_date"), F.inline("features"))
    return of_facts(told)


def added(leaves: DataFrame, stored: DataFrame) -> DataFrame:
    """Leaf rows, added to what is stored of their keys -> rows of silver.feature_days."""
    rows, key = _facts(leaves), list(SILVER_FEATURE_DAYS.key)
    met = stored.join(F.broadcast(rows.select(*key).distinct()), on=key, how="left_semi")
    return conform(summed(met.select(*key, F.inline("partials")).unionByName(rows)), SILVER_FEATURE_DAYS)


def merge(lake: Lake, leaves: DataFrame | pa.Table, once: Transaction) -> tuple[()]:
    """Add the rows to what is stored of their keys, once."""
    return stored_sums.add(lake, SILVER_FEATURE_DAYS, added, leaves, once)


def look_up(lake: Lake, actors: Collection[str]) -> pa.Table:
    """The rows of these actors, of a lake on this machine."""
    return row_runs.rows_of(lake, SILVER_FEATURE_DAYS, actors)


SILVER_FEATURE_DAYS = LeafTable(
    name="silver.feature_days",
    grain="one row per actor and UTC day on which a declared feature's filter let anything through",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id", "activity_date"),
    transform=transform,
    merge=merge,
    look_up=look_up,
    time_column="activity_date",
    sent_in=("features",),
    columns=(
        required("actor_id", "string", "actor"),
        required("activity_date", "date", "UTC day of occurred_at"),
        required(
            "partials",
            f"array<{PARTIAL}>",
            "partial sums by name, the hash of filter and value, and by `at`, the minute or UTC day they are of; total: exact; first, last: "
            "of those with a value; counts: how often each text came, of the 1,024 texts with the smallest hashes; see lakehouse/features/partials.py",
        ),
    ),
)

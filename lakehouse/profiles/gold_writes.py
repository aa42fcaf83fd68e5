"""What gold tables say of some profiles, written: rows set, rows that are gone removed, validity closed and opened.

One code for every grain. A table finer than a profile is asked which rows it holds of these profiles; what its transform no
longer gives goes. In a table with validity nothing is removed: what no longer holds is closed.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, differs
from lakehouse.profiles.declaration import ProfileTable


def write(lake: Lake, table: ProfileTable, rows: DataFrame, profiles: DataFrame, now: DataFrame) -> None:
    """Let the table say of `profiles` what `rows` say, and nothing else.

    Args:
        lake: the lake.
        table: the table.
        rows: what its transform gives for these profiles.
        profiles: profile_id.
        now: one row, `now`. Joined, not written into the plan: a plan with another literal in it is compiled again.
    """
    now = F.broadcast(now)
    if table.has_history:
        lake.upsert(validity_changes(table, lake.read(table), rows, profiles, now), table)
        return
    kept = stamped(table, rows, now).withColumn("is_deleted", F.lit(False))
    gone = _gone(lake, table, rows, profiles).withColumn("is_deleted", F.lit(True))
    changes = kept.unionByName(gone, allowMissingColumns=True)
    lake.upsert(changes, table, update_when=differs(table.content), deletes=True)


def stamped(table: ProfileTable, rows: DataFrame, now: DataFrame) -> DataFrame:
    """The rows with the time they are written at. `now`: one row, `now`."""
    times = {column.name: F.col("now") for column in table.columns if column.is_write_time}
    return rows.crossJoin(F.broadcast(now)).withColumns(times).drop("now")


def validity_changes(
    table: ProfileTable, stored: DataFrame, rows: DataFrame, profiles: DataFrame, now: DataFrame
) -> DataFrame:
    """Rows of a table with validity to set: of all that changed, the row that is closed and the one that is opened.

    Where only what may be revised changed, the open row is set, since when it is open.
    """
    key, content = list(table.current_key), table.content
    lasting = [name for name in content if name not in table.revised]
    known = stored.where(F.col("valid_to").isNull()).join(F.broadcast(profiles.select("profile_id")), on="profile_id")
    before = known.select(*key, F.struct(*content).alias("before"), F.col("valid_from").alias("since"))
    after = rows.select(*key, F.struct(*content).alias("after"))
    both = after.join(before, on=key, how="full_outer").crossJoin(now)
    changed = both.where(~F.col("before").eqNullSafe(F.col("after")))
    closed = F.struct(
        *(F.col(f"before.{name}") for name in content),
        F.col("since").alias("valid_from"),
        F.col("now").alias("valid_to"),
    )
    goes_on = F.col("before").isNotNull() & F.col("after").isNotNull()
    for name in lasting:
        goes_on = goes_on & F.col(f"before.{name}").eqNullSafe(F.col(f"after.{name}"))
    opened = F.struct(
        *(F.col(f"after.{name}") for name in content),
        F.when(goes_on, F.col("since")).otherwise(F.col("now")).alias("valid_from"),
        F.lit(None).cast("timestamp").alias("valid_to"),
    )
    set_rows = F.array_compact(
        F.array(F.when(F.col("before").isNotNull() & ~goes_on, closed), F.when(F.col("after").isNotNull(), opened))
    )
    return changed.select(*key, F.explode(set_rows).alias("row")).select(*key, "row.*")


def _gone(lake: Lake, table: ProfileTable, rows: DataFrame, profiles: DataFrame) -> DataFrame:
    """Keys of the rows of these profiles that the table may hold and `rows` do not have."""
    few, key = profiles.select("profile_id"), list(table.key)
    if len(key) == 1:
        return few.join(rows.select("profile_id"), on="profile_id", how="left_anti")
    stored = lake.read(table).select(*key).join(F.broadcast(few), on="profile_id", how="left_semi")
    return stored.join(rows.select(*key), on=key, how="left_anti")

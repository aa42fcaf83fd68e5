"""What gold tables say of some profiles, written: rows set, rows that are gone removed, validity closed and opened.

One code for every grain. A table finer than a profile is asked which rows it holds of these profiles; what its transform no
longer gives goes. In a table with validity nothing is removed: what no longer holds is closed.
"""

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, differs
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver


def write(lake: Lake, table: ProfileTable, said: GoldRows) -> None:
    """Let the table say of the profiles what its rows say, and nothing else.

    Of few profiles a table of one row each needs no plan of Spark's: its rows are on the driver.
    """
    rows, now = said.tables[table], F.broadcast(said.now)
    if table.has_history:
        lake.upsert(validity_changes(table, lake.read(table), rows, said.profiles, now), table)
        return
    changes: DataFrame | pa.Table
    if said.here is not None and len(table.key) == 1:
        changes = changes_here(table, said.here)
    else:
        kept = stamped(table, rows, now).withColumn("is_deleted", F.lit(False))
        gone = _gone(lake, table, rows, said.profiles).withColumn("is_deleted", F.lit(True))
        changes = kept.unionByName(gone, allowMissingColumns=True)
    lake.upsert(changes, table, update_when=differs(table.content), deletes=True)


def changes_here(table: ProfileTable, here: OnDriver) -> pa.Table:
    """The rows on the driver with `is_deleted`, and one of nulls for each profile that has none."""
    rows = stamped_here(table, here)
    gone = sorted({*here.profile_ids} - {*rows["profile_id"].to_pylist()})
    kept = rows.append_column("is_deleted", pa.array([False] * rows.num_rows, pa.bool_()))
    nulls = {field.name: pa.nulls(len(gone), field.type) for field in rows.schema}
    nulls |= {"profile_id": pa.array(gone, pa.string()), "is_deleted": pa.array([True] * len(gone), pa.bool_())}
    return pa.concat_tables([_nullable(kept), pa.table(nulls)]).combine_chunks()


def stamped_here(table: ProfileTable, here: OnDriver) -> pa.Table:
    """The rows on the driver in contract order, with the time they are written at."""
    rows = here.tables[table]
    written_at = pa.array([here.now] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    columns = {c.name: written_at if c.is_write_time else rows[c.name] for c in table.columns}
    return pa.table(columns)


def _nullable(rows: pa.Table) -> pa.Table:
    return rows.cast(pa.schema([field.with_nullable(True) for field in rows.schema]))


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

"""What gold tables say of some profiles, written: rows set, rows that are gone removed, validity closed and opened.

One code for every grain. A table finer than a profile is asked which rows it holds of these profiles; what its transform no
longer gives goes. In a table with validity nothing is removed: what no longer holds is closed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, arrow_schema, differs
from lakehouse.lake.row_differences import differences
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver, here_of

FEW_ROWS = 100_000  # some tenths of a second


def write(lake: Lake, table: ProfileTable, said: GoldRows | OnDriver) -> None:
    """Let the table say of the profiles what its rows say, and nothing else.

    Of few profiles the rows are on the driver: Spark would plan longer than it takes to compare them there.
    """
    rows: DataFrame | pa.Table
    here = here_of(said)
    if isinstance(said, GoldRows) and (here is None or not _are_few(table, here)):
        rows = _validity(lake, table, said) if table.has_history else _changes(lake, table, said)
    else:
        assert here is not None
        if lake.uses_delta_rs:
            _write_here(lake, table, here)
            return
        rows = _validity_there(lake, table, here) if table.has_history else _changes_here(lake, table, here)
    if table.has_history:
        lake.upsert(rows, table)
    else:
        lake.upsert(rows, table, update_when=differs(table.content), deletes=True)


def _write_here(lake: Lake, table: ProfileTable, here: OnDriver) -> None:
    """`write` on this machine, where the stored rows are looked up: Delta is handed what differs, and where nothing does it is asked nothing."""
    runs = row_runs.current(lake, table, ("profile_id",))
    stored = runs.rows("profile_id", here.profile_ids)
    if table.has_history:
        rows, gone = _validity_here(table, stored, here), None
        lake.upsert(rows, table)
    else:
        said = stamped_here(table, here).cast(arrow_schema(table))
        added, changed, gone = differences(stored, said, table.key, table.content)
        rows = pa.concat_tables([added, changed])
        if changed.num_rows or gone.num_rows:
            goes = pa.array([False] * rows.num_rows + [True] * gone.num_rows, pa.bool_())
            marked = pa.concat_tables([rows, gone]).append_column("is_deleted", goes)
            lake.upsert(marked.combine_chunks(), table, deletes=True)
        else:
            lake.add(rows, table)
    runs.set_rows(rows, row_runs.stamp(lake, table), gone=gone)


def _are_few(table: ProfileTable, here: OnDriver) -> bool:
    """Whether the rows are compared on the driver: those of a finer grain are taken one by one there."""
    return len(table.key) == 1 or here.tables[table].num_rows <= FEW_ROWS


def _changes(lake: Lake, table: ProfileTable, said: GoldRows) -> DataFrame:
    rows = said.tables[table]
    kept = stamped(table, rows, F.broadcast(said.now)).withColumn("is_deleted", F.lit(False))
    gone = _gone(lake, table, rows, said.profiles).withColumn("is_deleted", F.lit(True))
    return kept.unionByName(gone, allowMissingColumns=True)


def _validity(lake: Lake, table: ProfileTable, said: GoldRows) -> DataFrame:
    return validity_changes(table, lake.read(table), said.tables[table], said.profiles, F.broadcast(said.now))


def _changes_here(lake: Lake, table: ProfileTable, here: OnDriver) -> pa.Table:
    """The rows on the driver with `is_deleted`, and one of nulls for each key that may be stored and is not among them."""
    rows, key = stamped_here(table, here), table.key
    if len(key) == 1:
        held = pa.table({"profile_id": pa.array(sorted(here.profile_ids), pa.string())})
    else:
        held = lake.rows_with(table, "profile_id", here.profile_ids, columns=key)
    gone = sorted(_keys(held, key) - _keys(rows, key))
    kept = rows.append_column("is_deleted", pa.array([False] * rows.num_rows, pa.bool_()))
    nulls = {field.name: pa.nulls(len(gone), field.type) for field in rows.schema}
    nulls |= {name: pa.array([one[i] for one in gone], rows.schema.field(name).type) for i, name in enumerate(key)}
    nulls |= {"is_deleted": pa.array([True] * len(gone), pa.bool_())}
    return pa.concat_tables([_nullable(kept), pa.table(nulls)]).combine_chunks()


def _keys(rows: pa.Table, key: Sequence[str]) -> set[tuple[Any, ...]]:
    return set(zip(*(rows[name].to_pylist() for name in key), strict=True))


def _validity_there(lake: Lake, table: ProfileTable, here: OnDriver) -> pa.Table:
    return _validity_here(table, lake.rows_with(table, "profile_id", here.profile_ids), here)


def _validity_here(table: ProfileTable, stored: pa.Table, here: OnDriver) -> pa.Table:
    """`validity_changes` of the rows on the driver. stored: the rows of these profiles."""
    before = _by_key(table, stored.filter(pc.is_null(stored["valid_to"])))
    after = _by_key(table, here.tables[table])
    lasting = [name for name in table.told if name not in table.revised]
    changes = []
    for one in sorted({*before, *after}):
        old, new = before.get(one), after.get(one)
        if _are_same(old, new, table.told):
            continue
        goes_on = _are_same(old, new, lasting)
        if old is not None and not goes_on:
            changes.append({**old, "valid_to": here.now})
        if new is not None:
            since = old["valid_from"] if old is not None and goes_on else here.now
            changes.append({**new, "valid_from": since, "valid_to": None})
    return pa.Table.from_pylist(changes, schema=arrow_schema(table))


def _by_key(table: ProfileTable, rows: pa.Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in table.current_key): row for row in rows.to_pylist()}


def _are_same(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, columns: Sequence[str]) -> bool:
    """Whether there are both, and the columns of both say the same; not a number is itself, as in Spark."""
    if old is None or new is None:
        return False
    pairs = [(old[name], new[name]) for name in columns]
    return all(before == after or (before != before and after != after) for before, after in pairs)


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
    lasting = [name for name in table.told if name not in table.revised]
    known = stored.where(F.col("valid_to").isNull()).join(F.broadcast(profiles.select("profile_id")), on="profile_id")
    before = known.select(*key, F.struct(*content).alias("before"), F.col("valid_from").alias("since"))
    after = rows.select(*key, F.struct(*content).alias("after"))
    both = after.join(before, on=key, how="full_outer").crossJoin(now)
    is_other = F.lit(False)
    for name in table.told:
        is_other = is_other | ~F.col(f"before.{name}").eqNullSafe(F.col(f"after.{name}"))
    changed = both.where(F.col("before").isNull() | F.col("after").isNull() | is_other)
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

"""The identity graph in the lake: its index held to the tables, its rules, and a resolution written.

Truth is in the tables. New rows are appended; changed ones are set where they are stored, which the index knows: the rows
that change are nearly always of recent actors, so of the last files.
"""

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa

from lakehouse.identity.history import closed, moved, opened
from lakehouse.identity.index import FORMAT, Index, micros, or_none
from lakehouse.identity.rules_fingerprint import fingerprint, is_blocked
from lakehouse.identity.touched_components import Resolution, Rows
from lakehouse.lake import local_index
from lakehouse.lake.delta import Lake, arrow, arrow_schema
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_HISTORY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
)

_STAMPED = (SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_HISTORY)


def stamp(lake: Lake) -> str:
    """The state of the identity tables, and of what makes the index of them."""
    of_tables = {table.name: lake.version(table) for table in _STAMPED}
    return json.dumps({"format": FORMAT, "rules": fingerprint(lake.config), **of_tables})


def current_index(lake: Lake) -> Index:
    """The index of the lake's identity tables as they are now; made again from them when it stands for others.

    First the history of the last changes is made good: the batch that wrote them may have died before.
    """
    last = last_changes(lake)
    if len(last):
        _mend_history(lake, last)
    index = local_index.opened(local_index.folder_of(lake.root, "identity"), Index)
    if index.stamp != stamp(lake):
        fill(index, lake)
    return index


def fill(index: Index, lake: Lake) -> None:
    """Make the index anew, in one pass over the tables."""
    gc.disable()  # millions of lists and no rings: looking for these takes a third of the time
    try:
        _fill(index, lake)
    finally:
        gc.enable()


def _fill(index: Index, lake: Lake) -> None:
    index.clear()
    now = stamp(lake)
    newest = 0
    for rows in _pieces(lake, SILVER_IDENTITY_MAP):
        index.write(map_rows=rows)
        newest = max(newest, *micros(rows["resolved_at"]))
    for rows in _pieces(lake, SILVER_IDENTITY_HISTORY):
        newest = max(newest, *micros(rows["valid_from"]))
        index.write(history_rows=rows[rows["valid_to"].isna()])
    for rows in _pieces(lake, SILVER_IDENTITY_EDGES):
        index.write(edge_rows=rows[~is_blocked(rows, lake.config)])
    index.write(stamp=now, latest=newest)


def _pieces(lake: Lake, table: Table) -> Iterator[pd.DataFrame]:
    for batch in lake.batches(table):
        if batch.num_rows:
            yield plain(pa.Table.from_batches([batch]))


def plain(rows: pa.Table) -> pd.DataFrame:
    """Rows of Arrow as pandas, times naive UTC microseconds."""
    types = [pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    frame: pd.DataFrame = rows.cast(pa.schema(list(zip(rows.column_names, types, strict=True)))).to_pandas()
    return frame


def all_rows(lake: Lake, table: Table) -> pd.DataFrame:
    """A whole table on the driver."""
    pieces = [pa.Table.from_batches([batch]) for batch in lake.batches(table)]
    return plain(pa.concat_tables(pieces) if pieces else arrow_schema(table).empty_table())


def next_time(index: Index, now: datetime) -> datetime:
    """`now` without zone, but later than anything written: validities must not be empty, whatever the clock does."""
    plain_now = now.astimezone(UTC).replace(tzinfo=None)
    return max(plain_now, datetime(1970, 1, 1) + timedelta(microseconds=latest(index) + 1))


def latest(index: Index) -> int:
    """The latest time a row of map or history was ever set, microseconds since 1970."""
    with index.transaction() as transaction:
        return int(index.meta(transaction, "latest") or 0)


def last_changes(lake: Lake) -> pd.DataFrame:
    """The rows of silver.identity_log that were written last: the only ones whose batch may have died half-way."""
    return plain(lake.newest_rows(SILVER_IDENTITY_LOG, "changed_at"))


def _mend_history(lake: Lake, changes: pd.DataFrame) -> None:
    """Give history the rows that follow from changes in the log. Reads the whole table: at a start only."""
    stored = plain(lake.rows_with(SILVER_IDENTITY_HISTORY, "actor_id", set(changes["actor_id"])))
    moves = changes.assign(resolved_at=changes["changed_at"], profile_id=changes["to_profile_id"])
    lake.upsert(arrow(moved(moves, stored), SILVER_IDENTITY_HISTORY), SILVER_IDENTITY_HISTORY)


def write(
    lake: Lake, index: Index, resolution: Resolution, *, now: datetime, logged: pd.DataFrame | None = None
) -> None:
    """Edges, log, history, map; then the index. See lakehouse/identity/touched_components.py for why in this order.

    Every row is known to be new, or changed, because the index says what is stored: nothing is looked for in the tables.
    `logged`: the changes that were written last, and their history with them. Those the map does not have yet come again, from
    whatever batch: a change is known by who moved from where to where.
    """
    edges, placed = resolution.edges, resolution.map
    log_rows = resolution.log_rows
    if logged is not None:
        told = set(_moves(logged))
        log_rows = log_rows.take([row for row, move in enumerate(_moves(log_rows)) if move not in told])
    if not (len(edges) or len(log_rows) or len(placed)):
        return
    _write_edges(lake, edges)
    _add(lake, log_rows, SILVER_IDENTITY_LOG)
    begun, ended = _turns(log_rows, placed)
    _add(lake, begun, SILVER_IDENTITY_HISTORY)
    _set(lake, ended, SILVER_IDENTITY_HISTORY, ended["valid_from"])
    _set(lake, placed.changed, SILVER_IDENTITY_MAP, placed.changed["stored_at"])
    _add(lake, placed.new, SILVER_IDENTITY_MAP)  # last: who is in the map brings nothing new when the batch is replayed
    index.write(
        map_rows=placed.kept,
        edge_rows=edges.kept,
        gone_edges=edges.gone,
        history_rows=begun,
        stamp=stamp(lake),
        latest=micros(pd.Series([pd.Timestamp(now)]))[0],
    )


def _moves(log_rows: pd.DataFrame) -> list[tuple[str, str | None, str]]:
    """Who moved from where to where."""
    columns = (or_none(log_rows[name]) for name in ("actor_id", "from_profile_id", "to_profile_id"))
    return list(zip(*columns, strict=True))


def _turns(log_rows: pd.DataFrame, placed: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of silver.identity_history that begin, and those that end, with changes of the log."""
    movers = set(log_rows["actor_id"].tolist())
    actors = placed.kept["actor_id"].tolist()
    begun = opened(placed.kept.take([row for row, actor in enumerate(actors) if actor in movers]))
    return begun, closed(begun, log_rows, placed.changed)


def _write_edges(lake: Lake, edges: Rows) -> None:
    _add(lake, edges.new, SILVER_IDENTITY_EDGES)
    if len(edges.changed) or len(edges.gone):
        marked = [edges.changed.assign(is_deleted=False), edges.gone.assign(is_deleted=True)]
        rows = pd.concat([frame for frame in marked if len(frame)], ignore_index=True)
        stored_at = utc(rows["stored_at"])
        lake.upsert(flagged(rows, SILVER_IDENTITY_EDGES), SILVER_IDENTITY_EDGES, deletes=True, stored_at=stored_at)


def flagged(rows: pd.DataFrame, table: Table) -> pa.Table:
    """Rows of the table for `Lake.upsert` with `deletes`, with their `is_deleted`."""
    return arrow(rows, table).append_column("is_deleted", pa.array(rows["is_deleted"].tolist(), pa.bool_()))


def _add(lake: Lake, rows: pd.DataFrame, table: Table) -> None:
    if len(rows):
        lake.add(arrow(rows, table), table)


def _set(lake: Lake, rows: pd.DataFrame, table: Table, stored_at: pd.Series) -> None:
    """Set rows of which the index knows that they are stored, and at which time of the table's `time_column`."""
    if len(rows):
        lake.upsert(arrow(rows, table), table, stored_at=utc(stored_at))


def utc(times: pd.Series) -> pa.Array:
    """Naive times, which are UTC, as Arrow has them in tables."""
    return pa.array(times.astype("datetime64[us]"), pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))

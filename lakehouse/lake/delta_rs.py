"""Delta writes from the driver's memory, by delta-rs: for rows that are few and a table that is on this machine.

Spark spends its time on planning a MERGE of a thousand rows; tests/benchmarks/upsert.py prints by how much it is slower.
Both write the same open format; Spark sees the new version at its next read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake import Transaction as Noted
from deltalake.exceptions import TableNotFoundError

from lakehouse.errors import ContractError, StitchlakeError
from lakehouse.lake import time_order
from lakehouse.lake.maintenance_note import note, rows_of
from lakehouse.lake.open_tables import opened
from lakehouse.lake.transaction import Transaction
from lakehouse.tables.contract import Table

MOST_SPANS = 16  # of days that a merge names


def files(path: str) -> list[str] | None:
    """The Parquet files that hold the table; None when it has a feature that their rows alone do not tell.

    Raises:
        StitchlakeError: there is no table.
    """
    try:
        stored = opened(path)
    except TableNotFoundError as error:
        raise StitchlakeError(
            f"{path}: no such table, expected a lake. Fill one with ./spark-submit.sh demo, set STITCHLAKE__LAKE__ROOT, or start "
            "streaming on a lake of an earlier release, which makes what is missing"
        ) from error
    if stored.protocol().reader_features or stored.metadata().partition_columns:
        return None
    return [unquote(uri) for uri in stored.file_uris()]


def is_there(path: str) -> bool:
    """Whether there is a table."""
    try:
        opened(path)
    except TableNotFoundError:
        return False
    return True


def create(path: str, schema: str, *, description: str, properties: Mapping[str, str]) -> None:
    """Make the table where there is none. `schema`: in Spark's JSON, which is Delta's."""
    columns = Schema.from_json(schema)
    DeltaTable.create(path, columns, mode="ignore", description=description, configuration=dict(properties))


def columns(path: str) -> list[str]:
    """Names of the columns the table has."""
    return [field.name for field in opened(path).schema().fields]


def set_properties(path: str, properties: Mapping[str, str]) -> None:
    """Let the table have these properties; nothing is committed when it has them."""
    stored = opened(path)
    has = stored.metadata().configuration
    other = {name: value for name, value in properties.items() if has.get(name) != value}
    if other:
        stored.alter.set_table_properties(other, commit_properties=changing_no_row(stored))


def version(path: str) -> str:
    """Another text after every commit that may have changed a row, and for another table made in the same place."""
    stored = opened(path)
    return f"{stored.metadata().id}@{_rows_of(stored)}"


def committed_at(path: str) -> datetime | None:
    """When the last commit was made, by its writer's clock; None = it does not say."""
    newest = opened(path).history(1)
    told = newest[0].get("timestamp") if newest else None
    return None if told is None else datetime.fromtimestamp(told / 1000, UTC)


def commit(path: str) -> int:
    """The number of the last commit."""
    return opened(path).version()


def changing_no_row(stored: DeltaTable) -> CommitProperties:
    """For a commit on `stored` after which its rows are what they were."""
    return CommitProperties(custom_metadata={"userMetadata": note(stored.version(), _rows_of(stored))})


def _rows_of(stored: DeltaTable) -> int:
    newest = stored.history(1)
    return rows_of(newest[0] if newest else {}, stored.version())


class Size(NamedTuple):
    """Of a table as it is now. log_files: commits that lie in its log, each a file that opening the table may have to read."""

    version: int
    files: int
    log_files: int


def size(path: str) -> Size | None:
    """None = there is no table."""
    try:
        stored = opened(path)
    except TableNotFoundError:
        return None
    log_files = sum(1 for _ in Path(path, "_delta_log").glob("*.json"))
    return Size(version=stored.version(), files=len(stored.file_uris()), log_files=log_files)


def batches(path: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """All rows, piece by piece."""
    yield from _dataset(path, schema).to_batches()


def rows_with(path: str, schema: pa.Schema, column: str, values: pa.Array) -> pa.Table:
    """The rows whose column holds one of the values."""
    return _where(path, schema, lambda batch: pc.is_in(batch[column], value_set=values))


def newest(path: str, schema: pa.Schema, column: str) -> pa.Scalar:
    """The largest that `column` holds; null where there is none. No other column is read."""
    return pc.max(_dataset(path, schema).to_table(columns=[column])[column])


def newest_rows(path: str, schema: pa.Schema, column: str) -> pa.Table:
    """The rows whose `column` is the largest there is."""
    value = newest(path, schema, column)
    return _where(path, schema, lambda batch: pc.equal(batch[column], value))


def _where(path: str, schema: pa.Schema, condition: Callable[[pa.RecordBatch], pa.Array]) -> pa.Table:
    """Filtered after reading: PyArrow cannot compare text with the statistics delta-rs writes (of type string_view)."""
    return pa.Table.from_batches((batch.filter(condition(batch)) for batch in batches(path, schema)), schema=schema)


def _dataset(path: str, schema: pa.Schema) -> ds.Dataset:
    found = files(path)
    if found is None:
        return ds.dataset(opened(path).to_pyarrow_table().cast(schema))
    return ds.dataset(found, schema=schema, format="parquet") if found else ds.dataset(schema.empty_table())


def clear(path: str) -> None:
    """Delete every row."""
    opened(path).delete()


def delete_before(path: str, column: str, moment: datetime) -> int:
    """Delete the rows whose time is before the moment; how many."""
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return int(opened(path).delete(f"{column} < {time_order.literal(micros)}")["num_deleted_rows"])


def delete_keys(path: str, keys: pa.Table) -> None:
    """Delete the rows that have these values in these columns. By a merge, whose predicate says no value."""
    gone = keys.group_by(keys.column_names).aggregate([])
    merge = opened(path).merge(gone, matching(keys.column_names), source_alias="new", target_alias="stored")
    merge.when_matched_delete().execute()


def add(rows: pa.Table, table: Table, path: str) -> None:
    """Append."""
    _check(rows, table)
    write_deltalake(opened(path), rows, mode="append")


def append(rows: pa.Table, table: Table, path: str, once: Transaction) -> None:
    """Append once: what the table has taken of the transaction's writer is skipped.

    A stored column that the rows lack is null in them, as Spark has it: one that was declared, and is not any more.
    """
    if rows.num_rows == 0 or last_batch(path, once.of(table)) >= once.batch_id:
        return
    _check(rows, table)
    noting = _noting(once, table)
    write_deltalake(opened(path), rows, mode="append", schema_mode="merge", commit_properties=noting)


def overwrite(rows: pa.Table, table: Table, path: str, *, has: Transaction | None) -> None:
    """Replace all rows, as `Lake.overwrite` says. A stored column that the rows lack is null in them."""
    _check(rows, table)
    is_new = has is not None and last_batch(path, has.of(table)) < has.batch_id
    noting = _noting(has, table) if has is not None and is_new else None
    write_deltalake(opened(path), rows, mode="overwrite", schema_mode="merge", commit_properties=noting)


def note_taken(schema: pa.Schema, table: Table, path: str, once: Transaction) -> None:
    """As `Lake.note_taken` says: a commit without a file."""
    if last_batch(path, once.of(table)) < once.batch_id:
        write_deltalake(
            opened(path),
            schema.empty_table(),
            mode="append",
            schema_mode="merge",
            commit_properties=_noting(once, table),
        )


def upsert(
    rows: pa.Table,
    table: Table,
    path: str,
    *,
    update_when: str | None,
    deletes: bool,
    stored_at: pa.Array | None = None,
    once: Transaction | None = None,
) -> None:
    """Set `rows` by key, as `Lake.upsert` says."""
    if once is not None and last_batch(path, once.of(table)) >= once.batch_id:
        return
    if deletes and table.has_change_feed:
        rows = _without_strangers(rows, table, path)
    if rows.num_rows == 0:
        return
    _check(rows.filter(pc.invert(rows["is_deleted"])) if deletes else rows, table)
    if stored_at is None or not time_order.set_rows(rows, table, path, stored_at, deletes=deletes):
        _merge(rows, table, path, update_when=update_when, deletes=deletes, once=once)


def _without_strangers(rows: pa.Table, table: Table, path: str) -> pa.Table:
    """The rows without those that are to be removed and are not stored.

    With a change feed delta-rs 1.6 takes such a row for one of nulls and refuses the merge where a column may not be null.
    """
    key, goes = list(table.key), rows["is_deleted"].to_pylist()
    if not any(goes):
        return rows
    gone = rows.filter(rows["is_deleted"])[key[0]]
    schema = pa.schema([rows.schema.field(name) for name in key])
    held = _where(path, schema, lambda batch: pc.is_in(batch[key[0]], value_set=gone.combine_chunks()))
    stored = set(zip(*(held[name].to_pylist() for name in key), strict=True))
    keys = zip(*(rows[name].to_pylist() for name in key), strict=True)
    return rows.filter(pa.array([not is_gone or one in stored for is_gone, one in zip(goes, keys, strict=True)]))


def last_batch(path: str, writer: str) -> int:
    """The last batch that the log notes of the writer; -1 = none."""
    last = opened(path).transaction_version(writer)
    return -1 if last is None else last


def _merge(
    rows: pa.Table, table: Table, path: str, *, update_when: str | None, deletes: bool, once: Transaction | None
) -> None:
    values = {name: f"new.{name}" for name in table.column_names}
    noting = None if once is None else _noting(once, table)
    merge = opened(path).merge(
        rows, _matching_days(rows, table), source_alias="new", target_alias="stored", commit_properties=noting
    )
    if deletes:
        merge = merge.when_matched_delete("new.is_deleted")
    merge = merge.when_matched_update(values, predicate=update_when)
    merge.when_not_matched_insert(values, predicate="NOT new.is_deleted" if deletes else None).execute()


def _matching_days(rows: pa.Table, table: Table) -> str:
    """`matching`, and of a date in the key which days it can be: files of other days are not looked into."""
    dates = [name for name in table.key if pa.types.is_date(rows.schema.field(name).type)]
    spans = {name: time_order.days_of(rows[name], MOST_SPANS) for name in dates}
    days = (f"({time_order.within(f'stored.{name}', told, is_date=True)})" for name, told in spans.items())
    return " AND ".join([matching(table.key), *days])


def _noting(once: Transaction, table: Table) -> CommitProperties:
    return CommitProperties(app_transactions=[Noted(once.of(table), once.batch_id)])


def matching(key: Iterable[str]) -> str:
    """Predicate of rows of `stored` and `new` with the same key."""
    return " AND ".join(f"(stored.{column} = new.{column})" for column in key)


def _check(rows: pa.Table, table: Table) -> None:
    """Delta-rs does not hold a merge to the columns' nullability."""
    empty = [c.name for c in table.columns if not c.nullable and rows[c.name].null_count]
    if empty:
        raise ContractError(f"{table.name}: got null in {empty}, expected a value in every row. Mend the transform")

"""Delta writes from the driver's memory, by delta-rs: for rows that are few and a table that is on this machine.

Spark spends its time on planning a MERGE of a thousand rows; tests/benchmarks/upsert.py prints by how much it is slower.
Both write the same open format; Spark sees the new version at its next read.
"""

from collections.abc import Iterable
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from lakehouse.contracts.contract import Table
from lakehouse.errors import ContractError, StitchlakeError

_TIDY_EVERY = 50  # versions


def files(path: str) -> list[str] | None:
    """The Parquet files that hold the table; None when it has a feature that their rows alone do not tell.

    Raises:
        StitchlakeError: there is no table.
    """
    try:
        stored = DeltaTable(path)
    except TableNotFoundError as error:
        raise StitchlakeError(
            f"{path}: no such table, expected a lake. Fill one with ./spark-submit.sh demo, or set STITCHLAKE__LAKE__ROOT"
        ) from error
    if stored.protocol().reader_features or stored.metadata().partition_columns:
        return None
    return [unquote(uri) for uri in stored.file_uris()]


def append(rows: pa.Table, table: Table, path: str, *, application: str, batch_id: int, keep_hours: int) -> None:
    """Append once: nothing when the table has seen this (application, batch_id) or a later one. Tidies up."""
    stored = DeltaTable(path)
    seen = stored.transaction_version(application)
    if rows.num_rows == 0 or (seen is not None and seen >= batch_id):
        return
    _check(rows, table)
    once = CommitProperties(app_transactions=[Transaction(app_id=application, version=batch_id)])
    write_deltalake(stored, rows, mode="append", commit_properties=once)
    _tidy(path, keep_hours)


def upsert(rows: pa.Table, table: Table, path: str, *, update_when: str | None, deletes: bool, keep_hours: int) -> None:
    """Set `rows` by key, as `Lake.upsert` says. Tidies up."""
    if rows.num_rows == 0:
        return
    _check(rows.filter(pc.invert(rows["is_deleted"])) if deletes else rows, table)
    values = {name: f"new.{name}" for name in table.column_names}
    merge = DeltaTable(path).merge(rows, matching(table.key), source_alias="new", target_alias="stored")
    if deletes:
        merge = merge.when_matched_delete("new.is_deleted")
    merge = merge.when_matched_update(values, predicate=update_when)
    merge.when_not_matched_insert(values, predicate="NOT new.is_deleted" if deletes else None).execute()
    _tidy(path, keep_hours)


def _tidy(path: str, keep_hours: int) -> None:
    """Now and then: small files into large ones, and away with files that no version of the last hours needs.

    A merge writes the files it touches anew, so without this a busy day would leave thousands of copies of a table.
    """
    stored = DeltaTable(path)
    if stored.version() % _TIDY_EVERY == 0:
        stored.optimize.compact()
        stored.vacuum(retention_hours=keep_hours, enforce_retention_duration=False, dry_run=False)


def matching(key: Iterable[str]) -> str:
    """Predicate of rows of `stored` and `new` with the same key."""
    return " AND ".join(f"(stored.{column} = new.{column})" for column in key)


def _check(rows: pa.Table, table: Table) -> None:
    """Delta-rs does not hold a merge to the columns' nullability."""
    empty = [c.name for c in table.columns if not c.nullable and rows[c.name].null_count]
    if empty:
        raise ContractError(f"{table.name}: got null in {empty}, expected a value in every row. Mend the transform")

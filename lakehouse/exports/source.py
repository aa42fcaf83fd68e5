"""Gold as an export reads it: tables of a lake on this machine, by delta-rs, as Arrow. Writes nothing."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakehouse.errors import ExportError, StitchlakeError
from lakehouse.exports.mapping import PROFILE, plain
from lakehouse.lake import delta_rs
from lakehouse.lake.open_tables import opened
from lakehouse.tables.contract import Table


class Gold:
    """The tables below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, table: Table) -> bool:
        """Whether there is such a table."""
        return Path(self._path(table), "_delta_log").is_dir()

    def version(self, table: Table) -> str:
        """Another text after every commit that may have changed a row. Raises ExportError: no such table."""
        try:
            return delta_rs.version(self._path(table))
        except (TableNotFoundError, DeltaError, OSError) as error:
            raise self._unreadable(table, error) from error

    def committed_at(self, table: Table) -> datetime | None:
        """When its last commit was made, by its writer's clock; None = it does not say. Raises ExportError: no such table."""
        try:
            return delta_rs.committed_at(self._path(table))
        except (TableNotFoundError, DeltaError, OSError) as error:
            raise self._unreadable(table, error) from error

    def rows(self, table: Table, columns: Sequence[str]) -> pa.Table:
        """All rows; a column of the contract that is not stored yet is null.

        Raises:
            ExportError: no such table.
        """
        return self._dataset(table, columns).to_table()

    def rows_with(self, table: Table, columns: Sequence[str], column: str, values: Collection[str]) -> pa.Table:
        """Those whose text column holds one of the values; no more of the others is in memory than a piece."""
        wanted, dataset = pa.array(sorted(values), pa.string()), self._dataset(table, columns)

        def found() -> Iterator[pa.RecordBatch]:
            for batch in dataset.to_batches():
                # By hand: PyArrow cannot compare text with the statistics that delta-rs writes.
                yield batch.filter(pc.is_in(batch[column].cast(pa.string()), value_set=wanted))

        return pa.Table.from_batches(found(), schema=dataset.schema)

    def rows_since(self, table: Table, columns: Sequence[str], times: Sequence[str], since: datetime) -> pa.Table:
        """Those of which one of the times is `since` or later."""
        moment = pa.scalar(since, pa.timestamp("us", tz="UTC"))
        (first, *others) = (ds.field(name) >= moment for name in times)
        condition = first
        for other in others:
            condition |= other
        return self._dataset(table, columns).to_table(filter=condition)

    def newest(self, table: Table, times: Sequence[str], until: datetime | None = None) -> datetime | None:
        """The latest of these times in the table; None where there is none. `until`: and no later; None = however late."""
        rows = self._dataset(table, times).to_table()
        columns = [rows[name] for name in times]
        if until is not None:
            moment = pa.scalar(until, pa.timestamp("us", tz="UTC"))
            columns = [column.filter(pc.less_equal(column, moment)) for column in columns]
        return max((found for column in columns if (found := pc.max(column).as_py()) is not None), default=None)

    def _dataset(self, table: Table, columns: Sequence[str]) -> ds.Dataset:
        path = self._path(table)
        try:
            types = {field.name: plain(field.type) for field in pa.schema(opened(path).schema().to_arrow())}
            found = delta_rs.files(path)
        except (StitchlakeError, DeltaError, OSError) as error:
            raise self._unreadable(table, error) from error
        if found is None:
            raise ExportError(
                f"{table.name}: has partitions or deletion vectors, expected a table of ours. Export from a copy of it"
            )
        # By Arrow's own files: those of delta-rs are called back from threads that may outlive the interpreter, and abort it.
        schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
        return ds.dataset(found, schema=schema, format="parquet") if found else ds.dataset(schema.empty_table())

    def joined(
        self, tables: Sequence[Table], columns: Sequence[str], profiles: Collection[str] | None = None
    ) -> pa.Table:
        """Rows of the first table, with what the others say of the profile; a name that several have is the first one's.

        `profiles`: of these alone; None = of everybody.
        """
        if len(tables) == 1:
            return self._of(tables[0], columns, profiles)
        waiting, wanted = set(columns) - {PROFILE}, {}
        for table in tables:
            wanted[table] = [name for name in table.column_names if name in waiting]
            waiting -= set(wanted[table])
        with duckdb.connect() as database:
            database.execute("SET enable_progress_bar = false")
            for number, (table, names) in enumerate(wanted.items()):
                database.register(f"t{number}", self._of(table, [PROFILE, *names], profiles))
            listed = [
                f't0."{PROFILE}"',
                *(f't{number}."{name}"' for number, names in enumerate(wanted.values()) for name in names),
            ]
            joins = [
                f'LEFT JOIN t{number} ON t{number}."{PROFILE}" = t0."{PROFILE}"' for number in range(1, len(tables))
            ]
            rows: pa.Table = database.sql(f"SELECT {', '.join(listed)} FROM t0 {' '.join(joins)}").to_arrow_table()
        return rows.select(list(columns))

    def _of(self, table: Table, columns: Sequence[str], profiles: Collection[str] | None) -> pa.Table:
        if profiles is None:
            return self.rows(table, columns)
        return self.rows_with(table, columns, PROFILE, profiles)

    def _path(self, table: Table) -> str:
        return f"{self.folder}/{table.name.replace('.', '/')}"

    def _unreadable(self, table: Table, error: Exception) -> ExportError:
        return ExportError(
            f"{table.name}: cannot be read below {self.folder}, got {type(error).__name__}, expected a lake. "
            "Start streaming, which makes what is missing, or set STITCHLAKE__LAKE__ROOT"
        )

"""Delta reads and writes. Every write survives a replay: it carries its transaction, or it sets what it would set again."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.errors import ContractError
from lakehouse.lake import delta_rs, migration
from lakehouse.lake.few_rows import FewRows
from lakehouse.lake.lock import creating, is_ours
from lakehouse.lake.maintenance_note import rows_of
from lakehouse.lake.retention import retention
from lakehouse.lake.transaction import Transaction, writer_in
from lakehouse.tables.contract import Table

_PLAIN_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
MOST_FILES = 32  # from more on Spark lists files by a job of its own
FEW_ROWS = 20_000  # that replace a table by way of the driver, where no more than SMALL_BYTES are stored
SMALL_BYTES = 2**22


class Lake:
    """The tables of one lake, by contract. Holds a session and a root; nothing else."""

    def __init__(self, spark: SparkSession, config: Config) -> None:
        self.spark = spark
        self.config = config
        folder = machine.local_folder(config.lake.root)
        # Delta takes a relative path for a table's name.
        self.root = config.lake.root.rstrip("/") if folder is None else str(folder)
        # delta-rs takes a per cent sign for the start of an escape, in a path as in a URI.
        self.uses_delta_rs = folder is not None and "%" not in self.root
        self.retention = retention(config.lake, is_here=self.uses_delta_rs)

    @functools.cached_property
    def few_rows(self) -> FewRows:
        """Plans over few rows on the driver; of a lake on this machine."""
        return FewRows(self.spark, self.root)

    def path(self, table: Table) -> str:
        return f"{self.root}/{table.name.replace('.', '/')}"

    def checkpoint(self, query: str) -> str:
        return f"{self.root}/_checkpoints/{query}"

    def create_missing(self, tables: Iterable[Table]) -> None:
        """Bring every table up to its contract, in contract order; one that is not there yet is made, empty."""
        for table in tables:
            self.create(table)

    def create(self, table: Table) -> None:
        # What a job writes beside this process follows a changed retention when that job runs.
        follows = is_ours(self.config.lake.root, table.owner)
        with creating(self.config.lake.root):
            migration.bring_up(
                self.spark, table, self.path(table),
                properties=self.retention.properties, follows=follows, is_here=self.uses_delta_rs,
            )  # fmt: skip

    def bring_up(self, tables: Iterable[Table], *, of: Iterable[Table]) -> None:
        """`create_missing`, of a lake that has the tables `of`: what is no lake is not made one.

        Raises:
            LakeError: it has not.
        """
        self.require(of)
        self.create_missing(tables)

    def require(self, tables: Iterable[Table]) -> None:
        """Refuse a lake that lacks one of the tables.

        Raises:
            LakeError: naming those that are not there, and what makes them.
        """
        migration.require(self.root, {table.name: self.is_there(table) for table in tables})

    def is_there(self, table: Table) -> bool:
        """Whether there is such a table. On this machine Spark is not asked, which takes 20 ms for each."""
        path = self.path(table)
        return delta_rs.is_there(path) if self.uses_delta_rs else DeltaTable.isDeltaTable(self.spark, path)

    def stored(self, tables: Iterable[Table]) -> list[Table]:
        """Those of the tables that are there."""
        return [table for table in tables if self.is_there(table)]

    def read(self, table: Table) -> DataFrame:
        """The table as it is now, with the columns of its contract.

        Of a small table on this machine delta-rs names the files: Spark would start two or three jobs to find them out
        after every commit, 0.2 s a table.
        """
        files = self._few_files(table)
        return self._of_log(table) if files is None else self._of_files(table, files)

    def snapshot(self, table: Table) -> tuple[DataFrame, int]:
        """`read`, and the number of the commit whose rows these are, and stay, whatever is committed meanwhile."""
        version = self.commit(table)
        files = self._few_files(table)
        if files is None or self.commit(table) != version:
            return self._of_log(table, versionAsOf=version), version
        return self._of_files(table, files), version

    def _few_files(self, table: Table) -> list[str] | None:
        """Where the rows of a small table on this machine are; None of any other."""
        files = delta_rs.files(self.path(table)) if self.uses_delta_rs else None
        return None if files is None or len(files) > MOST_FILES else files

    def _of_files(self, table: Table, files: list[str]) -> DataFrame:
        return self.spark.read.schema(table.ddl).parquet(*files) if files else self.spark.createDataFrame([], table.ddl)

    def _of_log(self, table: Table, **options: int) -> DataFrame:
        return migration.with_gained(self.spark.read.format("delta").options(**options).load(self.path(table)), table)

    def version(self, table: Table) -> str:
        """The state of its rows: another text after every commit that may have changed one, and for another table in the same place."""
        path = self.path(table)
        if self.uses_delta_rs:
            return delta_rs.version(path)
        stored = DeltaTable.forPath(self.spark, path)
        identity, newest = stored.detail().select("id").head(1)[0][0], _newest_commit(stored)
        return f"{identity}@{rows_of(newest, newest['version'])}"

    def commit(self, table: Table) -> int:
        """The number of its last commit, whatever that changed."""
        path = self.path(table)
        if self.uses_delta_rs:
            return delta_rs.commit(path)
        return int(_newest_commit(DeltaTable.forPath(self.spark, path))["version"])

    def size(self, table: Table) -> delta_rs.Size | None:
        """Commits and files of the table; None of one that is not there, and of a remote lake, where looking costs a job."""
        return delta_rs.size(self.path(table)) if self.uses_delta_rs else None

    def is_bare(self, table: Table) -> bool:
        """Whether it holds no row, where that is known without a job."""
        size = self.size(table)
        return size is not None and size.files == 0

    def batches(self, table: Table, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows on the driver, piece by piece; `columns`: these of them, None = all. Of a remote lake they pass through memory together."""
        told = columns or table.column_names
        if self.uses_delta_rs:
            return delta_rs.batches(self.path(table), _schema(table, told))
        return iter(self.read(table).select(*told).toArrow().to_batches())

    def rows_with(
        self, table: Table, column: str, values: Iterable[str], *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows whose text column holds one of the values, on the driver. `columns`: these, `column` among them; None = all."""
        wanted, told = pa.array(sorted(set(values)), pa.string()), columns or table.column_names
        if self.uses_delta_rs:
            return delta_rs.rows_with(self.path(table), _schema(table, told), column, wanted)
        few = F.broadcast(self.frame(pa.table({column: wanted})))
        return self.read(table).join(few, on=column, how="left_semi").select(*told).toArrow()

    def newest_rows(self, table: Table, column: str) -> pa.Table:
        """The rows whose `column` is the largest there is, on the driver."""
        if self.uses_delta_rs:
            return delta_rs.newest_rows(self.path(table), arrow_schema(table), column)
        stored = self.read(table)
        newest = stored.agg(F.max(column).alias(column))
        return stored.join(newest, on=column, how="left_semi").select(*table.column_names).toArrow()

    def clear(self, table: Table) -> None:
        """Delete every row."""
        if self.uses_delta_rs:
            delta_rs.clear(self.path(table))
        else:
            DeltaTable.forPath(self.spark, self.path(table)).delete()

    def delete_before(self, table: Table, column: str, moment: datetime) -> int:
        """Delete the rows whose time in `column` is before the moment; how many."""
        if self.uses_delta_rs:
            return delta_rs.delete_before(self.path(table), column, moment)
        told = DeltaTable.forPath(self.spark, self.path(table)).delete(F.col(column) < F.lit(moment)).head(1)
        return int(told[0]["num_affected_rows"]) if told else 0

    def delete_keys(self, table: Table, keys: pa.Table) -> None:
        """Delete the rows that have these values in the columns of `keys`, none of them null. No value stands in the log."""
        if keys.num_rows == 0:
            return
        if self.uses_delta_rs:
            delta_rs.delete_keys(self.path(table), keys)
        else:
            target = DeltaTable.forPath(self.spark, self.path(table)).alias("stored")
            gone = self.frame(keys).distinct().alias("new")
            target.merge(gone, delta_rs.matching(keys.column_names)).whenMatchedDelete().execute()

    def frame(self, rows: pa.Table) -> DataFrame:
        """Rows computed on the driver as a Spark frame."""
        frame: DataFrame = self.spark.createDataFrame(rows)
        return frame

    def append(self, frame: DataFrame | pa.Table, table: Table, once: Transaction, *, are_few: bool = False) -> None:
        """Append once: the same transaction again is skipped. `are_few`: the rows fit into the driver's memory, or are in it.

        Few rows pass through the driver on a local lake: Spark takes half a second to plan and commit an append.
        """
        here = isinstance(frame, pa.Table)
        if self.uses_delta_rs and (here or are_few):
            rows = frame if here else conform(frame, table).toArrow()
            delta_rs.append(rows, table, self.path(table), once)
        else:
            rows = conform(self.frame(frame) if here else frame, table)
            _noted(rows.write.format("delta").mode("append"), once, table).save(self.path(table))

    def has_had(self, table: Table, once: Transaction) -> bool:
        """Whether the table has taken the transaction, or a later one of its writer."""
        return self.last_batch(table, once.application) >= once.batch_id

    def last_batch(self, table: Table, application: str) -> int:
        """The last batch of the writer that the table has taken; -1 = none."""
        name = writer_in(table, application)
        if self.uses_delta_rs:
            return delta_rs.last_batch(self.path(table), name)
        jvm = self.spark._jvm
        assert jvm is not None
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table))
        nothing = jvm.scala.Option.empty()  # Delta shows nobody else what its log notes
        last = log.update(False, nothing, nothing).transactions().get(name)
        return int(last.get()) if last.isDefined() else -1

    def note_taken(self, table: Table, once: Transaction) -> None:
        """Let the table have taken the transaction, of which it gets no row."""
        if self.uses_delta_rs:
            delta_rs.note_taken(arrow_schema(table), table, self.path(table), once)
        elif not self.has_had(table, once):
            nothing = conform(self.read(table).limit(0), table).write.format("delta").mode("append")
            _noted(nothing, once, table).save(self.path(table))

    def overwrite(self, frame: DataFrame, table: Table, *, has: Transaction | None = None) -> None:
        """Replace all rows. `has`: the transaction whose rows are among them, noted as taken.

        Few rows that replace few pass through the driver on a local lake: Spark takes a second to plan and commit what it writes.
        """
        rows = conform(frame, table)
        if self._is_small(table):
            few = rows.limit(FEW_ROWS + 1).toArrow()
            if few.num_rows <= FEW_ROWS:
                delta_rs.overwrite(few, table, self.path(table), has=has)
                return
        write = rows.write.format("delta").mode("overwrite")
        if has is not None and not self.has_had(table, has):  # else Delta would skip it all
            write = _noted(write, has, table)
        write.save(self.path(table))

    def _is_small(self, table: Table) -> bool:
        """Whether little is stored of a table on this machine, so that what replaces it is likely to be little, too."""
        files = self._few_files(table) if self.uses_delta_rs and self.is_there(table) else None
        return files is not None and sum(Path(file).stat().st_size for file in files) <= SMALL_BYTES

    def add(self, rows: pa.Table, table: Table) -> None:
        """Append rows on the driver of which the caller knows that they are not stored yet."""
        if rows.num_rows == 0:
            return
        if self.uses_delta_rs:
            delta_rs.add(rows, table, self.path(table))
        else:
            conform(self.frame(rows), table).write.format("delta").mode("append").save(self.path(table))

    def upsert(
        self,
        rows: DataFrame | pa.Table,
        table: Table,
        *,
        update_when: str | None = None,
        deletes: bool = False,
        stored_at: pa.Array | None = None,
        once: Transaction | None = None,
    ) -> None:
        """Set rows by key; insert what is missing.

        `update_when`: SQL over `stored` and `new` that Spark and DataFusion read alike; rows it is not true for are left
        alone. `deletes`: rows whose boolean column `is_deleted` is true are removed instead. `stored_at`: what the table's
        `time_column` says in each of these rows as they are stored, every one of them: so no others need be looked through. `once`: skipped where
        the table has had this transaction, which the commit notes: for rows that are not the same when they are computed again.

        On a local lake the rows pass through the driver, see lakehouse/lake/delta_rs.py; elsewhere Spark merges.
        """
        extra = ("is_deleted",) if deletes else ()
        if self.uses_delta_rs:
            here = conform(rows, table, *extra).toArrow() if isinstance(rows, DataFrame) else rows
            delta_rs.upsert(
                here, table, self.path(table), update_when=update_when, deletes=deletes, stored_at=stored_at, once=once
            )  # fmt: skip
        else:
            there = rows if isinstance(rows, DataFrame) else self.frame(rows)
            matching = delta_rs.matching(table.key) if stored_at is None else _matching_within(table, stored_at)
            self._merge(
                conform(there, table, *extra), table, matching, update_when=update_when, deletes=deletes,
                inserts=stored_at is None, once=once,
            )  # fmt: skip

    def set_columns(
        self, rows: DataFrame, table: Table, columns: Sequence[str], *, key: Sequence[str], within: str
    ) -> None:
        """Set some columns of stored rows, by key, where they differ. Nothing is inserted. `within`: SQL over `stored` that holds for all of them."""
        target = DeltaTable.forPath(self.spark, self.path(table)).alias("stored")
        merge = target.merge(rows.alias("new"), f"{within} AND {delta_rs.matching(key)}")
        merge.whenMatchedUpdate(differs(columns), {name: f"new.{name}" for name in columns}).execute()

    def _merge(
        self,
        frame: DataFrame,
        table: Table,
        matching: str,
        *,
        update_when: str | None,
        deletes: bool,
        inserts: bool,
        once: Transaction | None,
    ) -> None:
        values = {name: f"new.{name}" for name in table.column_names}
        spark = self.spark if once is None else _noting(self.spark, once, table)
        target = DeltaTable.forPath(spark, self.path(table)).alias("stored")
        merge = target.merge(frame.alias("new"), matching)
        if deletes:
            merge = merge.whenMatchedDelete("new.is_deleted")
        merge = merge.whenMatchedUpdate(condition=update_when, set=dict(values))
        if inserts:  # a row stored elsewhere than `stored_at` says must not come twice
            merge = merge.whenNotMatchedInsert(condition="NOT new.is_deleted" if deletes else None, values=dict(values))
        merge.execute()


def _newest_commit(stored: DeltaTable) -> dict[str, Any]:
    found: dict[str, Any] = stored.history(1).select("version", "operation", "userMetadata").head(1)[0].asDict()
    return found


def _matching_within(table: Table, stored_at: pa.Array) -> str:
    """The same key, and a time between the first and the last of those stored."""
    ends = pc.min_max(stored_at)
    least, most = (ends[side].as_py().astimezone(UTC).isoformat() for side in ("min", "max"))
    within = f"stored.{table.time_column} BETWEEN TIMESTAMP '{least}' AND TIMESTAMP '{most}'"
    return f"{delta_rs.matching(table.key)} AND {within}"


def _noted(write: DataFrameWriter, once: Transaction, table: Table) -> DataFrameWriter:
    return write.option("txnAppId", once.of(table)).option("txnVersion", once.batch_id)


def _noting(spark: SparkSession, once: Transaction, table: Table) -> SparkSession:
    """A session whose commits note the transaction: a merge takes it from nowhere else, and others write beside it."""
    session = spark.newSession()
    session.conf.set("spark.databricks.delta.write.txnAppId", once.of(table))
    session.conf.set("spark.databricks.delta.write.txnVersion", str(once.batch_id))
    return session


def arrow(rows: pd.DataFrame, table: Table) -> pa.Table:
    """Rows computed on the driver (naive timestamps are UTC) with the table's schema."""
    schema = arrow_schema(table)
    return pa.Table.from_pandas(rows[table.column_names], schema=schema, preserve_index=False).combine_chunks()


@functools.cache
def arrow_schema(table: Table) -> pa.Schema:
    """The schema of the table's rows on the driver. Types inside of others are left to Spark to read."""
    if all(column.type in _PLAIN_TYPES for column in table.columns):
        return pa.schema([(column.name, _PLAIN_TYPES[column.type], column.nullable) for column in table.columns])
    schema = StructType.fromDDL(table.ddl)
    assert isinstance(schema, StructType)
    return to_arrow_schema(schema, timezone="UTC")


def _schema(table: Table, columns: Sequence[str]) -> pa.Schema:
    """Of some of its columns."""
    return pa.schema([arrow_schema(table).field(name) for name in columns])


def differs(columns: Iterable[str]) -> str:
    """True where any of the columns of `new` is not what `stored` has; nulls are equal to each other."""
    return " OR ".join(f"(stored.{column} IS DISTINCT FROM new.{column})" for column in columns)


def conform(frame: DataFrame, table: Table, *extra: str) -> DataFrame:
    """The columns of `table`, in contract order and type, and the `extra` ones as they are.

    Raises:
        ContractError: naming the columns that are missing.
    """
    missing = [name for name in table.column_names if name not in frame.columns]
    if missing:
        raise ContractError(f"{table.name}: columns {missing} missing, got {frame.columns}. Mend the transform")
    return frame.selectExpr(*(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in table.columns), *extra)

"""Delta reads and writes. Every write survives a replay: appends carry (application, batch), upserts set absolute values."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lakehouse import delta_rs, machine
from lakehouse.config import Config
from lakehouse.contracts.contract import Table
from lakehouse.errors import ContractError
from lakehouse.tables import TABLES

MOST_FILES = 32  # from more on Spark lists files by a job of its own


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

    def path(self, table: Table) -> str:
        return f"{self.root}/{table.name.replace('.', '/')}"

    def checkpoint(self, query: str) -> str:
        return f"{self.root}/_checkpoints/{query}"

    def create_missing(self) -> None:
        """Create every table that is not there yet, empty, in contract order."""
        for table in TABLES.values():
            self.create(table)

    def create(self, table: Table) -> None:
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table)).comment(table.grain)
        for column in table.columns:
            builder = builder.addColumn(column.name, column.type, nullable=column.nullable, comment=column.comment)
        builder.execute()

    def read(self, table: Table) -> DataFrame:
        """The table as it is now.

        Of a small table on this machine delta-rs names the files: Spark would start two or three jobs to find them out
        after every commit, 0.2 s a table.
        """
        files = delta_rs.files(self.path(table)) if self.uses_delta_rs else None
        if files is None or len(files) > MOST_FILES:
            return self.spark.read.format("delta").load(self.path(table))
        if not files:
            return self.spark.createDataFrame([], table.ddl)
        return self.spark.read.schema(table.ddl).parquet(*files)

    def frame(self, rows: pa.Table) -> DataFrame:
        """Rows computed on the driver as a Spark frame."""
        frame: DataFrame = self.spark.createDataFrame(rows)
        return frame

    def append(self, frame: DataFrame, table: Table, *, application: str, batch_id: int) -> None:
        """Append once: the same (application, batch_id) again is skipped by Delta."""
        (
            conform(frame, table)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", f"{application}:{table.name}")
            .option("txnVersion", batch_id)
            .save(self.path(table))
        )

    def overwrite(self, frame: DataFrame, table: Table) -> None:
        conform(frame, table).write.format("delta").mode("overwrite").save(self.path(table))

    def append_rows(self, rows: pa.Table, table: Table, *, application: str, batch_id: int) -> None:
        """`append` for rows that are few and on the driver already."""
        if self.uses_delta_rs:
            name = f"{application}:{table.name}"
            keep = self.config.lake.keep_hours
            delta_rs.append(rows, table, self.path(table), application=name, batch_id=batch_id, keep_hours=keep)
        else:
            self.append(self.frame(rows), table, application=application, batch_id=batch_id)

    def upsert(
        self, rows: DataFrame | pa.Table, table: Table, *, update_when: str | None = None, deletes: bool = False
    ) -> None:
        """Set rows by key; insert what is missing.

        `update_when`: SQL over `stored` and `new` that Spark and DataFusion read alike; rows it is not true for are left
        alone. `deletes`: rows whose boolean column `is_deleted` is true are removed instead.

        On a local lake the rows pass through the driver, see lakehouse/delta_rs.py; elsewhere Spark merges.
        """
        extra = ("is_deleted",) if deletes else ()
        if self.uses_delta_rs:
            here = conform(rows, table, *extra).toArrow() if isinstance(rows, DataFrame) else rows
            keep = self.config.lake.keep_hours
            delta_rs.upsert(here, table, self.path(table), update_when=update_when, deletes=deletes, keep_hours=keep)
        else:
            there = rows if isinstance(rows, DataFrame) else self.frame(rows)
            self._merge(conform(there, table, *extra), table, update_when=update_when, deletes=deletes)

    def _merge(self, frame: DataFrame, table: Table, *, update_when: str | None, deletes: bool) -> None:
        values = {name: f"new.{name}" for name in table.column_names}
        target = DeltaTable.forPath(self.spark, self.path(table)).alias("stored")
        merge = target.merge(frame.alias("new"), delta_rs.matching(table.key))
        if deletes:
            merge = merge.whenMatchedDelete("new.is_deleted")
        merge = merge.whenMatchedUpdate(condition=update_when, set=dict(values))
        merge.whenNotMatchedInsert(condition="NOT new.is_deleted" if deletes else None, values=dict(values)).execute()


def application(name: str, rows: DataFrame) -> str:
    """The writer's name in the appends of a query's foreachBatch, given the batch's rows.

    A new checkpoint is a new query and counts its batches from 0 again: they must not be taken for the old one's.
    """
    query = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
    return f"{name}:{query}"


def arrow(rows: pd.DataFrame, table: Table) -> pa.Table:
    """Rows computed on the driver (naive timestamps are UTC) with the table's schema."""
    schema = StructType.fromDDL(table.ddl)
    assert isinstance(schema, StructType)
    arrow_schema = to_arrow_schema(schema, timezone="UTC")
    return pa.Table.from_pandas(rows[table.column_names], schema=arrow_schema, preserve_index=False).combine_chunks()


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

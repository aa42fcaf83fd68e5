"""Delta reads and writes. Every write survives a replay: appends carry (application, batch), upserts set absolute values."""

import functools
import operator
from collections.abc import Iterable, Mapping

import pandas as pd
import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.contracts.contract import Table
from lakehouse.errors import ContractError
from lakehouse.tables import TABLES


class Lake:
    """The tables of one lake, by contract. Holds a session and a root; nothing else."""

    def __init__(self, spark: SparkSession, config: Config) -> None:
        self.spark = spark
        self.config = config
        folder = machine.local_folder(config.lake.root)
        # Delta takes a relative path for a table's name.
        self.root = config.lake.root.rstrip("/") if folder is None else str(folder)

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
        return self.spark.read.format("delta").load(self.path(table))

    def frame(self, rows: pd.DataFrame, table: Table) -> DataFrame:
        """Rows computed on the driver (naive timestamps are UTC) as a Spark frame of the table's schema, through Arrow."""
        schema = StructType.fromDDL(table.ddl)
        assert isinstance(schema, StructType)
        arrow_schema = to_arrow_schema(schema, timezone="UTC")
        arrow = pa.Table.from_pandas(rows[table.column_names], schema=arrow_schema, preserve_index=False)
        frame: DataFrame = self.spark.createDataFrame(arrow.combine_chunks(), schema)
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

    def upsert(
        self,
        frame: DataFrame,
        table: Table,
        *,
        update: Mapping[str, Column] | None = None,
        update_when: Column | None = None,
        deletes: bool = False,
    ) -> None:
        """Set the rows of `frame` by key; insert what is missing.

        `update`: values of an existing row, as columns of `stored` and `new`; every column of `new` if not given.
        `update_when`: rows it is not true for are left alone. `deletes`: rows of `frame` whose boolean column
        `is_deleted` is true are removed instead.
        """
        inserted = {name: F.col(f"new.{name}") for name in table.column_names}
        matched = " AND ".join(f"stored.{key} = new.{key}" for key in table.key)
        merge = DeltaTable.forPath(self.spark, self.path(table)).alias("stored").merge(frame.alias("new"), matched)
        if deletes:
            merge = merge.whenMatchedDelete("new.is_deleted")
        merge = merge.whenMatchedUpdate(condition=update_when, set=dict(update) if update else inserted)
        merge.whenNotMatchedInsert(condition="NOT new.is_deleted" if deletes else None, values=inserted).execute()


def differs(columns: Iterable[str]) -> Column:
    """True where any of the columns of `new` is not what `stored` has; nulls are equal to each other."""
    return functools.reduce(operator.or_, (~F.col(f"stored.{c}").eqNullSafe(F.col(f"new.{c}")) for c in columns))


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """The columns of `table`, in contract order and type.

    Raises:
        ContractError: naming the columns that are missing.
    """
    missing = [name for name in table.column_names if name not in frame.columns]
    if missing:
        raise ContractError(f"{table.name}: columns {missing} missing, got {frame.columns}. Mend the transform")
    return frame.select(*(F.col(c.name).cast(c.type).alias(c.name) for c in table.columns))

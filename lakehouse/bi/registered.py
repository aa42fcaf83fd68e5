"""The catalogue in a session of Spark: in memory, so it goes with the process, and two servers of one lake do not meet in it.

A table is registered as it is stored: its columns are those in its own log, with the comments of its contract. One that is not there yet,
and a view of it, comes when it is.
"""

from collections.abc import Sequence
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql.types import StructType

from lakehouse.bi import catalogue, read_only
from lakehouse.bi.views import View
from lakehouse.lake.delta import Lake
from lakehouse.tables.contract import Table


class Registered:
    """What of these tables and views the lake has, for all sessions of one Spark. `lake.spark` is the session that writes the catalogue."""

    def __init__(self, lake: Lake, tables: Sequence[Table], views: Sequence[View]) -> None:
        self._lake = lake
        self._tables = tables
        self._views = views
        self._columns: dict[str, StructType] = {}
        self._folders: set[str | None] = set()
        self._seen: list[str] = []
        for statement in catalogue.schemas(tables):
            lake.spark.sql(statement)

    def __contains__(self, folder: object) -> bool:
        """Whether a table of its lies in the folder, as Delta writes it."""
        return folder is not None and folder in self._folders

    @property
    def tables(self) -> list[str]:
        return [table.name for table in self._tables if table.name in self._columns]

    @property
    def views(self) -> list[str]:
        return list(self._seen)

    @property
    def missing(self) -> list[str]:
        """Tables and views that the lake cannot give yet."""
        named = [*(table.name for table in self._tables), *(view.name for view in self._views)]
        return [name for name in named if name not in self._columns and name not in self._seen]

    def refresh(self) -> None:
        """Take in tables, columns and views that came since the last time."""
        for table in self._tables:
            if table.name in self._columns or DeltaTable.isDeltaTable(self._lake.spark, self._lake.path(table)):
                self._take(table)
        for view in self._views:
            if view.name not in self._seen and view.reads <= {*self._columns, *self._seen}:
                self._lake.spark.sql(view.sql)
                self._seen.append(view.name)

    def _take(self, table: Table) -> None:
        spark = self._lake.spark
        if table.name not in self._columns:
            spark.sql(catalogue.registration(table, self._lake.path(table)))
        frame = spark.table(table.name)
        stored = _described(frame.schema, table)
        if stored != self._columns.get(table.name):
            # Delta keeps no columns in a catalogue. Queries do not need them there; the tree of tables that a tool shows does.
            schema = _java(spark, stored)
            spark._jsparkSession.sharedState().externalCatalog().alterTableDataSchema(*table.name.split("."), schema)
            relation = frame._jdf.queryExecution().analyzed().collectLeaves().apply(0)
            self._folders.add(read_only.folder(relation, spark.sparkContext._gateway))
            self._columns[table.name] = stored


def _described(stored: StructType, table: Table) -> StructType:
    """The columns that are stored, with the comments of the contract, which may be newer than the table."""
    comments = {column.name: column.comment for column in table.columns}
    described = StructType.fromJson(stored.jsonValue())
    for field in described.fields:
        if field.name in comments:
            field.metadata = {"comment": comments[field.name]}
    return described


def _java(spark: Any, schema: StructType) -> Any:
    return spark._jvm.org.apache.spark.sql.types.DataType.fromJson(schema.json())

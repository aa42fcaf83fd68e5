"""Builders of rows: Kafka records, as the Kafka source gives them, and rows of any contract."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.tables.contract import Table

RECORD = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp, arrived_at timestamp"
)
_ARROW = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
    ]
)
ARRIVAL = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
Value = dict[str, Any] | list[Any] | str | bytes | None


def track(event: str = "Product Viewed", message_id: str = "m-1", **fields: Any) -> dict[str, Any]:
    """A track message. `properties=`, `context=`, `userId=` ... as in JSON; anonymousId `anon-1` unless given."""
    return message("track", message_id, event=event, **fields)


def order(order_id: str | None = "o-1", message_id: str = "m-1", **properties: Any) -> dict[str, Any]:
    """An Order Completed of 59.80 USD, unless `properties` say otherwise."""
    return track("Order Completed", message_id, properties={"order_id": order_id, "revenue": 59.8} | properties)


def message(type_: str, message_id: str = "m-1", **fields: Any) -> dict[str, Any]:
    """Any message. A field given as None is left out."""
    common = {"type": type_, "messageId": message_id, "anonymousId": "anon-1", "timestamp": "2025-01-31T11:59:59Z"}
    return {name: value for name, value in (common | fields).items() if value is not None}


def encode(value: Value) -> bytes | None:
    """Bytes as they are, a text as UTF-8, anything else as JSON."""
    if value is None or isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


def row(value: Value, offset: int = 0, *, partition: int = 0, arrival: datetime = ARRIVAL) -> tuple[Any, ...]:
    """One record of topic `events` with null key."""
    content = encode(value)
    return (None, None if content is None else bytearray(content), "events", partition, offset, arrival, arrival)


def records(spark: SparkSession, values: Sequence[Value], *, arrival: datetime = ARRIVAL) -> DataFrame:
    """One record per value, at offsets 0, 1, 2, ... of partition 0, all of one arrival time."""
    return spark.createDataFrame([row(value, offset, arrival=arrival) for offset, value in enumerate(values)], RECORD)


def add_batch(folder: Path, values: Sequence[Value], *, arrival: datetime = ARRIVAL) -> None:
    """Add the records of one micro-batch to the folder that `stream` reads, at the offsets after those already there."""
    folder.mkdir(exist_ok=True)
    files = sorted(folder.iterdir())
    first = sum(pq.read_metadata(file).num_rows for file in files)
    made = (row(value, first + number, arrival=arrival) for number, value in enumerate(values))
    rows = [dict(zip(_ARROW.names, each, strict=True)) for each in made]
    path = folder / f"{len(files):03}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=_ARROW), path)
    os.utime(path, (len(files), len(files)))  # Spark reads files in the order of their times


def stream(spark: SparkSession, folder: Path) -> DataFrame:
    """The records of the folder as a stream, one file a micro-batch."""
    return spark.readStream.schema(RECORD).option("maxFilesPerTrigger", 1).parquet(str(folder))


def listed(rows: DataFrame | pa.Table) -> list[Mapping[str, Any]]:
    """Rows, wherever they are."""
    told: list[Mapping[str, Any]] = (rows if isinstance(rows, pa.Table) else rows.toArrow()).to_pylist()
    return told


def frame(spark: SparkSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Rows by column name as a frame of the contract; a column that is not given is null."""
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], table.ddl)


def completed(rows: DataFrame, table: Table) -> DataFrame:
    """The rows with the columns of the contract they lack: null, or empty or 0 where they must not be null."""
    lacking = [column for column in table.columns if column.name not in rows.columns]
    return rows.withColumns({c.name: F.lit(None).cast(c.type) if c.nullable else _empty(c.type) for c in lacking})


def _empty(type_: str) -> Column:
    return (F.array() if type_.startswith("array") else F.lit(0)).cast(type_)

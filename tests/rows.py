"""Builders of Kafka records, as the Kafka source gives them, from Python dicts, texts and bytes."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

RECORD = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
ARRIVAL = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
Value = dict[str, Any] | list[Any] | str | bytes | None


def track(event: str = "Product Viewed", message_id: str = "m-1", **fields: Any) -> dict[str, Any]:
    """A track message. `properties=`, `context=`, `userId=` ... as in JSON; anonymousId `anon-1` unless given."""
    return message("track", message_id, event=event, **fields)


def order(order_id: str = "o-1", message_id: str = "m-1", **properties: Any) -> dict[str, Any]:
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
    return (None, None if content is None else bytearray(content), "events", partition, offset, arrival)


def records(spark: SparkSession, values: Sequence[Value], *, arrival: datetime = ARRIVAL) -> DataFrame:
    """One record per value, at offsets 0, 1, 2, ... of partition 0, all of one arrival time."""
    return spark.createDataFrame([row(value, offset, arrival=arrival) for offset, value in enumerate(values)], RECORD)

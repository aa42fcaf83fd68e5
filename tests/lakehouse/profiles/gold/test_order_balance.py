"""Every order message that was sent is counted or explained, whatever became of it: a ledger in plain Python beside the table."""

from collections import Counter
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from batch.order_balance import overwrite_balance
from lakehouse.events.parse import parse
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import orders
from lakehouse.queries import silver_writes
from lakehouse.tables.events import (
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from tests.accepted import at, once
from tests.rows import message, order, records, track
from tests.small_lake import copy_empty_tables

SENT: list[tuple[dict[str, Any], tuple[str, str | None] | None]] = [
    (order("o-1", "m-1"), ("counted", None)),
    (order("o-1", "m-2", revenue=70) | {"timestamp": "2025-01-31T11:59:59.5Z"}, ("repeated", None)),
    (order("o-2", "m-3") | {"event": "order_completed"}, ("counted", None)),
    (order("o-3", "m-4"), ("cancelled", None)),
    (track("Order Cancelled", "m-5", properties={"order_id": "o-3"}), None),
    (order(None, "m-6"), ("refused", "missing_field")),
    (order("undefined", "m-7") | {"event": "ORDER COMPLETED"}, ("refused", "missing_field")),
    (order("o-4", "m-8", currency="ZZZ"), ("refused", "unknown_currency")),
    (track("Bestellung", "m-9", properties={"order_id": "o-5", "revenue": 9}), ("not_understood", "Bestellung")),
    (order("o-6", "m-10"), ("late", None)),
    (message("page", "m-11", name="Order Completed"), None),
    (track("Product Viewed", "m-12"), None),
    (order("o-7", "m-13", currency="QQQ"), None),  # it was replayed, so what was sent in its place is counted
]
REPLAYED = {
    "topic": "events",
    "partition": 0,
    "offset": 12,
    "message_id": "m-13",
    "outcome": "sent",
    "replayed_at": at("2026-01-01 00:00"),
}


def test_sent_is_counted_and_explained(lake: Lake) -> None:
    copy_empty_tables(lake)
    parsed = parse(records(lake.spark, [value for value, _ in SENT]), lake.config).persist()
    accepted = parsed.where("reason IS NULL")
    lake.overwrite(accepted, SILVER_EVENTS)
    lake.overwrite(silver_writes.faults(accepted.where("faults IS NOT NULL")), SILVER_EVENT_FAULTS)
    rejected = parsed.where("reason IS NOT NULL").withColumn("quarantined_at", parsed["received_at"])
    lake.overwrite(rejected, SILVER_EVENTS_QUARANTINE)
    lake.add(
        pa.Table.from_pylist([REPLAYED], schema=arrow_schema(SILVER_QUARANTINE_REPLAYS)), SILVER_QUARANTINE_REPLAYS
    )
    in_time = accepted.where("message_id <> 'm-10'")
    orders.merge(lake, leaf(with_day(in_time), rates={}), once(0))
    found = {
        (row["outcome"], row["reason"]): row["messages"] for row in overwrite_balance(lake, now=at("2026-01-01 00:00"))
    }
    assert found == Counter(outcome for _, outcome in SENT if outcome is not None)


def test_a_robots_order_is_told(lake: Lake) -> None:
    copy_empty_tables(lake)
    # Of a version that took a shop's own server for a robot: today's orders never are.
    robots = parse(records(lake.spark, [order("o-1")]), lake.config).withColumn("is_bot", F.lit(True))
    lake.overwrite(robots, SILVER_EVENTS)
    assert [(row["outcome"], row["orders"]) for row in overwrite_balance(lake, now=at("2026-01-01 00:00"))] == [
        ("bot", 1)
    ]

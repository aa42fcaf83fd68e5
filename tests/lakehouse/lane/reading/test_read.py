"""What the lane reads of a record is what `events.parse` reads of it, of random and of damaged messages. One Spark run."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import Row, SparkSession

from lakehouse.config import load
from lakehouse.events.clock import microseconds
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.reasons import NO_USABLE_IDENTIFIER
from lakehouse.lane.reading.read import read
from tests.lakehouse.events import test_fuzz, test_reader
from tests.rows import encode, records, track

CASES = Path(__file__).parents[3] / "cases" / "ingest.jsonl"
CONFIG = load("dev", environ={})
COMPARED = ("type", "event", "product_id", "order_id", "session_id", "message_id")
ARRIVED = datetime(2026, 11, 27, 12, tzinfo=UTC)  # when the cases arrive
ARRIVED_US = microseconds(ARRIVED)

WITH_LINES = [
    (event, {"order_id": "o", **worth, **lines})
    for event, worth in (("Order Completed", {"revenue": 1}), ("Order Refunded", {}), ("Checkout Started", {}))
    for lines in (
        {"items": [{"item_id": "p", "quantity": 2}]},
        {"products": [], "line_items": [{"sku": "p"}, {"sku": "q"}]},
        {"items": [], "line_items": [{"sku": "p"}]},
        {"products": [{"sku": "p"}], "items": [{"sku": "q"}]},
        {"items": 2},
        {"items": "two"},
        {"items": '[{"sku": "p"}]'},
        {"orderItems": {"1": {"sku": "p"}}},
        {"items": [{"quantity": 1}]},
    )
] + [("Survey Answered", {"items": [{"id": "p"}]})]


def _compared(row: Row | EventRow) -> dict[str, object]:
    lines = row.lines
    told = None if lines is None else [(one.product_id, one.name, one.quantity, one.price) for one in lines]
    return {name: getattr(row, name) for name in COMPARED} | {"lines": told}


def test_the_lane_and_the_lake_read_a_record_alike(spark: SparkSession) -> None:
    chance = random.Random(11)
    values = [test_fuzz.make(chance, number) for number in range(400)]
    values += [json.dumps(test_reader.random_message(chance)) for _ in range(200)]
    values += [json.loads(line)["value"] for line in CASES.read_text("utf-8").splitlines()]
    values += [track(event, f"l-{number}", properties=sent) for number, (event, sent) in enumerate(WITH_LINES)]
    frame = read(records(spark, values, arrival=ARRIVED), CONFIG)
    rows = frame.select("offset", "verdict", "lines", *COMPARED).collect()
    reader, accepted = EventReader(CONFIG), 0
    for row in rows:
        value = values[row["offset"]]
        content = encode(value)
        ours = reader.read(content, ARRIVED_US, ARRIVED_US)
        reason = (ours.verdict or "").partition("|")[0].replace(NO_USABLE_IDENTIFIER, "")
        assert (row["verdict"] or "").partition("|")[0] == reason, value
        if ours.verdict is None and not _is_shown_otherwise(content or b"", ours):
            accepted += 1
            assert _compared(row) == _compared(ours), value
    assert accepted > 150


def _is_shown_otherwise(content: bytes, row: EventRow) -> bool:
    """The lane says numbers with exponents in Java's way, and shows a personal text only as its candidate hides it."""
    tokens = (row.message_id, row.event, row.product_id, row.order_id, row.session_id)
    return b"308" in content or any(text is not None and text.startswith("dev:") for text in tokens)

"""The page of a lake: every event that came or is planned, its fields and its owner, and no value."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse.commands import catalogue
from lakehouse.events.parse import parse
from lakehouse.events.shapes import OTHER
from lakehouse.events.tracking_plan import read_plan
from lakehouse.lake.delta import Lake
from lakehouse.tables.events import SILVER_EVENTS
from tests.rows import message, order, records, track

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = """
properties: []
events:
  - event: order_completed
    owner: checkout
    description: an order | with <b>
    properties: {properties: {order_id: {type: string}, gift: {type: boolean}, lines: {items: {properties: {sku: {}}}}}}
  - {event: Never Sent, version: 2, owner: growth, description: soon}
"""
SENT = [
    order("o-1", "m-1", secret_word="xyzzy"),
    order("o-2", "m-2", note="a", contact="ann@example.com"),
    track("Odd | <i>Name</i>", "m-3", channel="web"),
    message("page", "m-4", name="Home"),
]


@pytest.fixture
def page(lake: Lake, tmp_path: Path) -> str:
    (plan := tmp_path / "events.yaml").write_text(PLAN)
    lake.create(SILVER_EVENTS)
    lake.overwrite(parse(records(lake.spark, SENT), lake.config), SILVER_EVENTS)
    return "\n".join(catalogue.page(catalogue.entries(lake, read_plan(plan))))


def test_every_event_that_came_or_is_planned_is_there_with_its_fields_and_no_value(page: str) -> None:
    overview, *sections = page.split("\n## ")
    assert "| Order Completed | 2 | 50.0% | 2025-01-31 12:00 | 2025-01-31 12:00 |  | checkout | 1 |" in overview
    assert "| Never Sent | 0 | 0.0% | never | never |  | growth | 2 |" in overview
    assert [section.splitlines()[0] for section in sections].index("Order Completed") == 0
    orders = sections[0].splitlines()
    assert "- version 1, checkout: an order \\| with &lt;b>" in orders
    assert "| `order_id` | text | 100.0% | yes |" in orders
    assert "| `secret_word` | text | 50.0% |  |" in orders
    assert "| `contact` | token | 50.0% |  |" in orders
    assert "| `lines[].sku` |  | 0.0% | yes |" in orders
    assert "xyzzy" not in page
    assert "ann@" not in page
    assert "<i>" not in page
    assert all(line.count("|") - line.count("\\|") in (0, 5, 9) for line in page.splitlines())


def test_a_sender_that_makes_up_names_fills_no_page() -> None:
    rows = [
        {"type": "page", "event": f"Page {n}", "channel": None, "received_at": NOON, "properties": None}
        for n in range(catalogue.MOST_EVENTS + 5)
    ]
    (part,) = catalogue._parts([pa.RecordBatch.from_pylist(rows)])
    assert part.num_rows == catalogue.MOST_EVENTS + 1
    assert part.to_pylist()[-1] | {"event": OTHER, "events": 5} == part.to_pylist()[-1]

"""gold.products from literal events; what bronze says of them, and what silver left out."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.recommend.products import GOLD_PRODUCTS, products
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from tests.rows import frame

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def on(day: int, month: int = 2) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def event(offset: int, name: str, at: datetime, sent: Any, **row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A silver row and the bronze record it came from."""
    place = {"topic": "events", "partition": 0, "offset": offset}
    silver = {
        "message_id": f"m{offset}", "actor_id": "a", "type": "track", "event": name, "occurred_at": at, "received_at": at,
        "identifiers": [], "is_bot": False, "is_clamped": False, "content_hash": offset, **place, **row,
    }  # fmt: skip
    value = sent if isinstance(sent, bytes) else json.dumps({"properties": sent}).encode()
    return silver, {**place, "value": value, "ingested_at": at}


def line(product: str, name: str | None, price: str | None) -> tuple[Any, ...]:
    return (product, name, Decimal(1), None if price is None else Decimal(price))


def test_a_product_is_what_was_last_said_of_it(spark: SparkSession) -> None:
    kettle = {"product_id": "kettle", "category": "kitchen", "name": "Kettle", "price": "20.00"}
    pairs = [
        event(0, "Product Viewed", on(1), kettle, product_id="kettle"),
        event(1, "Product Viewed", on(9), kettle | {"category": " ", "price": 24.5}, product_id="kettle", currency="EUR"),
        event(2, "Product Added", on(5), {"name": "x" * 300, "category": "write to ann@example.com"}, product_id="kettle"),
        event(
            3, "Order Completed", on(7), {"products": [kettle | {"category": "home"}, {"category": 7}]},
            order_id="o1", lines=[line("kettle", "Kettle", "22.00"), line("mug", None, None)],
        ),
        event(4, "Order Completed", on(8), b"no json", order_id="o1", lines=[line("kettle", None, None)]),
        event(5, "Product Viewed", on(10), kettle | {"price": -1}, product_id="kettle", is_bot=True),
        event(6, "Product Viewed", on(2, month=3), kettle | {"name": "too late"}, product_id="kettle"),
        event(7, "Product Viewed", on(1, month=1), {"price": -5, "category": ["a"]}, product_id="old"),
        event(8, "Product Viewed", on(3), {}, product_id=" "),
    ]  # fmt: skip
    silver, bronze = zip(*pairs, strict=True)
    stray = event(99, "Product Viewed", on(20), {"product_id": "refused", "category": "none"})[1]
    rows = products(
        frame(spark, SILVER_EVENTS, silver),
        frame(spark, BRONZE_EVENTS, [*bronze[:8], stray]),
        rates={"EUR": "2"},
        as_of=AS_OF,
        gone_days=30,
    )
    assert set(rows.columns) == set(GOLD_PRODUCTS.column_names)
    found = {row.product_id: row.asDict() for row in rows.collect()}
    assert set(found) == {"kettle", "mug", "old"}
    assert {name: found["kettle"][name] for name in ("category", "name", "price", "view_count", "order_count")} == {
        "category": "home", "name": "Kettle", "price": Decimal("49.00"), "view_count": 2, "order_count": 1,
    }  # fmt: skip
    assert (found["kettle"]["first_seen_at"].day, found["kettle"]["last_seen_at"].day) == (1, 9)
    assert (found["mug"]["category"], found["mug"]["price"], found["mug"]["order_count"]) == ("7", None, 1)
    assert (found["old"]["category"], found["old"]["price"]) == ('["a"]', None)
    assert {name: row["is_available"] for name, row in found.items()} == {"kettle": True, "mug": True, "old": False}

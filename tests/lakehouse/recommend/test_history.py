"""From events and orders to numbers: what counts, whose it is, which session it belongs to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.recommend.history import collected, interactions
from lakehouse.recommend.interactions import KINDS
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests.lakehouse.recommend.test_products import event
from tests.rows import frame

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_people_are_profiles_and_orders_count_once(spark: SparkSession) -> None:
    seen = [
        event(0, "Product Viewed", after(0), {}, product_id="kettle", actor_id="ann-phone", session_id="s1"),
        event(1, "Product Added", after(1), {}, product_id="kettle", actor_id="ann-laptop"),
        event(2, "Product Removed", after(2), {}, product_id="kettle", actor_id="ann-laptop"),
        event(3, "Order Completed", after(3), {}, product_id="kettle", actor_id="ann-laptop", order_id="o1"),
        event(4, "Product Viewed", after(4), {}, product_id="mug", actor_id="bot", is_bot=True),
        event(5, "Product Viewed", after(5), {}, product_id="mug", actor_id="nobody knows"),
        event(6, "Product Viewed", after(90), {}, product_id="mug", actor_id="bob"),
        event(7, "Product Shared", after(6), {}, product_id="mug", actor_id="bob"),
    ]
    members = [
        {"actor_id": actor, "profile_id": profile, "component_id": profile, "first_seen_at": NOON, "resolved_at": NOON}
        for actor, profile in (("ann-phone", "ann"), ("ann-laptop", "ann"), ("bob", "bob"), ("bot", "bob"))
    ]
    orders = [
        {"order_id": "o1", "actor_id": "ann-laptop", "ordered_at": after(3), "buyers": 1, "statements": [], "refunds": [],
         "lines": [("kettle", None, Decimal(1), None), ("", None, Decimal(1), None)]},
        {"order_id": "only refunded", "buyers": 1, "statements": [], "refunds": []},
    ]  # fmt: skip
    tables = (SILVER_EVENTS, SILVER_ORDERS, SILVER_IDENTITY_MAP)
    frames = [
        frame(spark, table, rows)
        for table, rows in zip(tables, ([one for one, _ in seen], orders, members), strict=True)
    ]
    found = interactions(*frames, as_of=after(60), max_profiles=10).orderBy("at_ms").collect()
    assert [(row.product_id, KINDS[row.kind], row.session is None, row.order_id) for row in found] == [
        ("kettle", "view", False, None),
        ("kettle", "cart", True, None),
        ("kettle", "remove", True, None),
        ("kettle", "order", True, "o1"),
    ]
    assert {row.profile for row in found} == {spark.range(1).select(F.xxhash64(F.lit("ann"))).first()[0]}
    one = interactions(*frames, as_of=after(600), max_profiles=1).select("profile").distinct().count()
    assert one == 1


def row(profile: int, product: str, minutes: int, session: int | None = None, order: str | None = None) -> dict:
    return {
        "profile": profile, "product_id": product, "kind": 0, "at_ms": minutes * 60_000, "session": session, "order_id": order,
    }  # fmt: skip


def test_names_become_numbers_and_silence_ends_a_session() -> None:
    rows = pd.DataFrame(
        [
            row(-5, "mug", 100), row(-5, "kettle", 129), row(-5, "kettle", 160), row(9, "kettle", 130),
            row(9, "mug", 900, session=77), row(9, "kettle", 990, session=77), row(-5, "mug", 161, order="o1"),
        ]
    )  # fmt: skip
    products = pd.DataFrame(
        {"product_id": ["kettle", "never touched"], "category": ["kitchen", None], "first_seen_ms": [5, 6],
         "is_available": [False, True]}
    )  # fmt: skip
    found, catalogue = collected(rows, products, pd.DataFrame({"profile": [9], "segment": ["champions"]}))
    assert (found.profiles, found.products, len(found)) == (2, 2, 7)
    assert catalogue.product_ids == ("kettle", "mug")
    assert (catalogue.categories, catalogue.segment_of) == (("kitchen", None), (None, "champions"))
    assert (catalogue.first_seen_ms.tolist(), catalogue.is_available.tolist()) == ([5, 0], [False, True])
    assert found.profile.tolist() == [0, 0, 1, 0, 0, 1, 1]
    assert found.order.tolist() == [-1, -1, -1, -1, 0, -1, -1]
    first, second, other, third, fourth, *said = found.session.tolist()
    assert first == second
    assert third == fourth
    assert len({first, third, other, said[0]}) == 4
    assert said[0] == said[1]


def test_nothing_is_no_fault() -> None:
    found, catalogue = collected(
        pd.DataFrame(columns=["profile", "product_id", "kind", "at_ms", "session", "order_id"]),
        pd.DataFrame(columns=["product_id", "category", "first_seen_ms", "is_available"]),
        pd.DataFrame(columns=["profile", "segment"]),
    )
    assert (len(found), catalogue.product_ids) == (0, ())

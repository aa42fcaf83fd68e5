"""gold.product_affinity: counts, revenue and an affinity that halves with time, against a plain Python model."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.profiles.gold.product_affinity import GOLD_PRODUCT_AFFINITY, transform
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import activity_daily, orders
from tests.accepted import actor, at, event, events

Key = tuple[str, str]


def affinities(spark: SparkSession, rows: list[dict[str, Any]], people: dict[str, str]) -> dict[Key, dict[str, Any]]:
    leaves = leaf(with_day(events(spark, rows)), rates={}).persist()
    identity_map = spark.createDataFrame(list(people.items()), "actor_id string, profile_id string")
    derived = transform(identity_map, activity_daily.transform(leaves), orders.transform(leaves))
    found = {(row["profile_id"], row["product_id"]): row.asDict() for row in derived.collect()}
    assert all(set(row) == set(GOLD_PRODUCT_AFFINITY.given_columns) for row in found.values())
    return found


def line(product: str | None, quantity: int | None, price: str | None) -> tuple[Any, ...]:
    return (product, None, None if quantity is None else Decimal(quantity), None if price is None else Decimal(price))


def test_a_view_a_cart_and_an_order_of_one_product_on_two_devices(spark: SparkSession) -> None:
    rows = [
        event("m1", "2026-01-01 00:00", anonymous_id="phone", product_id="tea"),
        event("m2", "2026-01-31 00:00", "Product Added", user_id="ann", product_id="tea"),
        event(
            "m3", "2026-03-02 00:00", "Order Completed", user_id="ann", order_id="o1", revenue="9.00",
            lines=[line("tea", 2, "3.00"), line("tea", 1, "3.00"), line("cup", None, None)],
        ),
    ]  # fmt: skip
    people = {actor(anonymous_id="phone"): "ann", actor(user_id="ann"): "ann"}
    found = affinities(spark, rows, people)
    tea, cup = found["ann", "tea"], found["ann", "cup"]
    assert (tea["view_count"], tea["cart_count"], tea["order_count"]) == (1, 1, 1)
    assert (tea["quantity"], tea["revenue"]) == (3, Decimal("9.00"))
    assert tea["affinity"] == pytest.approx(1 / 4 + 3 / 2 + 5)  # two half-lives ago, one, none
    assert tea["first_touch_at"] == at("2026-01-01 00:00").replace(tzinfo=None)
    assert tea["last_touch_at"] == at("2026-03-02 00:00").replace(tzinfo=None)
    assert (cup["order_count"], cup["quantity"], cup["revenue"], cup["affinity"]) == (1, 0, Decimal("0.00"), 5.0)


def test_an_affinity_is_finite_however_far_apart_the_touches_are(spark: SparkSession) -> None:
    rows = [
        event(f"m{n}", when, anonymous_id="a", product_id="tea") for n, when in enumerate(("1971-01-01", "2200-01-01"))
    ]
    (row,) = affinities(spark, rows, {actor(anonymous_id="a"): "ann"}).values()
    assert row["affinity"] == pytest.approx(1.0)


def test_it_is_what_a_plain_model_says(spark: SparkSession) -> None:
    rng, start = Random(7), at("2026-01-01 00:00")
    rows, touches = [], defaultdict[Key, list[tuple[datetime, float]]](list)
    people = {actor(anonymous_id=f"a{n}"): f"p{n % 3}" for n in range(5)}
    for n in range(120):
        who, product = f"a{rng.randrange(5)}", f"k{rng.randrange(4)}"
        moment = start + timedelta(hours=rng.randrange(24 * 90))
        name, weight = rng.choice([("Product Viewed", 1.0), ("Product Added", 3.0), ("Order Completed", 5.0)])
        known = {"order_id": f"o{n}", "lines": [line(product, 1, "2.00")]} if weight == 5.0 else {"product_id": product}
        rows.append(event(f"m{n}", f"{moment:%Y-%m-%d %H:%M}", name, anonymous_id=who, **known))
        touches[people[actor(anonymous_id=who)], product].append((moment, weight))
    found = affinities(spark, rows, people)
    assert found.keys() == touches.keys()
    for key, known in touches.items():
        last = max(moment for moment, _ in known)
        halved = sum(weight * 0.5 ** ((last - moment) / timedelta(days=30)) for moment, weight in known)
        assert found[key]["affinity"] == pytest.approx(halved, rel=1e-9)
        assert sum(found[key][f"{kind}_count"] for kind in ("view", "cart", "order")) == len(known)

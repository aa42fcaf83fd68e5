"""Whom the lake says to leave alone: by any of their identifiers, whatever the others say, until that one is lifted."""

import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles import rollup
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver.activity_daily import transform
from tests.accepted import at, event, events
from tests.lakehouse.profiles.test_micro_batch import feed, new_batch


def word(message_id: str, occurred_at: str, type_: str = "suppress", **identifier: str) -> dict[str, Any]:
    return event(message_id, occurred_at, type=type_, **identifier)


def test_somebody_is_left_alone_until_the_same_identifier_is_lifted(lake: Lake) -> None:
    batch = new_batch(lake)
    login = event("m1", "2026-02-01 10:00", anonymous_id="phone", user_id="ann", email="t-ann")

    def suppressed() -> list[tuple[bool | None, str]]:
        rows = lake.read(GOLD_ACTIVATION).select("is_suppressed", "next_best_action").collect()
        return [(row["is_suppressed"], row["next_best_action"]) for row in rows]

    feed(lake, batch, 0, [login])
    assert suppressed() == [(None, "welcome")]
    feed(lake, batch, 1, [word("m2", "2026-02-02 10:00", email="t-ann")])
    assert suppressed() == [(True, "none")]
    feed(lake, batch, 2, [word("m3", "2026-02-03 10:00", "unsuppress", user_id="ann")])
    assert suppressed() == [(True, "none")]  # another identifier's word frees nobody
    lifted = word("m4", "2026-02-03 11:00", "unsuppress", email="t-ann")
    feed(lake, batch, 3, [lifted])
    assert suppressed() == [(False, "welcome")]
    feed(lake, batch, 4, [lifted, word("m5", "2026-02-03 10:30", email="t-ann")])  # the day again, with an older word
    assert suppressed() == [(False, "welcome")]


def test_as_a_plain_model_says_in_any_order(spark: SparkSession) -> None:
    chance = random.Random(5)
    rows = [
        word(
            f"m{person}-{number}",
            f"2026-02-0{chance.randint(1, 4)} 1{chance.randint(0, 9)}:00",
            chance.choice(["suppress", "unsuppress"]),
            anonymous_id=f"p{person}-{chance.randint(1, 3)}",
        )
        for person in range(40)
        for number in range(chance.randint(1, 6))
    ]
    chance.shuffle(rows)
    latest: dict[str, dict[str, tuple[Any, str, bool]]] = defaultdict(dict)
    for row in rows:
        person, said = row["actor_id"].split("-")[0], (row["occurred_at"], row["message_id"], row["type"] == "suppress")
        known = latest[person].get(row["actor_id"], said)
        latest[person][row["actor_id"]] = max(known, said)
    expected = {person: any(said[2] for said in words.values()) for person, words in latest.items()}
    days = transform(leaf(with_day(events(spark, rows)), rates={}))
    found = rollup.summary(days.withColumn("profile_id", F.substring_index("actor_id", "-", 1))).collect()
    assert {row["profile_id"]: row["is_suppressed"] for row in found} == expected
    assert set(expected.values()) == {True, False}


def test_purchases_on_the_driver_are_those_of_spark(spark: SparkSession) -> None:
    lines = "array<struct<product_id: string, name: string>>"
    orders = spark.createDataFrame(
        [
            ("phone", "o1", at("2026-02-01 10:00"), [("tea", "Tea"), (None, "Cup")]),
            ("desk", "o2", at("2026-02-02 10:00"), None),
            ("phone", "o3", None, [("tea", "Tea")]),  # cancelled
            ("other", "o4", at("2026-02-03 10:00"), []),
        ],
        f"actor_id string, order_id string, ordered_at timestamp, lines {lines}",
    ).withColumn("revenue", F.lit(1))
    profile_of = {"phone": "ann", "desk": "ann", "other": "bob"}
    members = spark.createDataFrame(list(profile_of.items()), "actor_id string, profile_id string")

    def bought(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
        return {
            row["profile_id"]: sorted(row["purchases"], key=lambda order: order["order_id"]) for row in rows.to_pylist()
        }

    here = bought(rollup.purchases_here(orders.select(*rollup.PURCHASE_COLUMNS).toArrow(), profile_of))
    assert here == bought(rollup.purchases(rollup.profile_orders(orders, members)).toArrow())
    assert [len(of_profile) for of_profile in here.values()] == [2, 1]

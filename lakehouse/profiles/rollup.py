"""Leaf tables and the identity map -> figures per profile. Pure: nothing here knows stream from batch.

A profile's figures are sums over its actors, taken at read of the map; so a merge or a split re-keys nothing.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.events.money import EXACT, money
from lakehouse.profiles.leaf import in_order, latest_of_each

PURCHASE_COLUMNS = ("actor_id", "order_id", "ordered_at", "lines")
ORDER_COLUMNS = (*PURCHASE_COLUMNS, "revenue")  # what profile_orders reads
_PURCHASE = {"ordered_at": pa.timestamp("us", "UTC"), "order_id": pa.string(), "products": pa.list_(pa.string())}
_PURCHASES = pa.list_(pa.struct(list(_PURCHASE.items())))


def profile_activity(activity_daily: DataFrame, members: DataFrame) -> DataFrame:
    """silver.activity_daily with `profile_id`. `members`: one row per actor, actor_id and profile_id."""
    return activity_daily.join(members.select("actor_id", "profile_id"), on="actor_id", how="inner")


def profile_orders(orders: DataFrame, members: DataFrame) -> DataFrame:
    """Orders that are completed and not cancelled, with `profile_id`: profile_id, order_id, ordered_at, revenue, lines."""
    completed = orders.where(F.col("ordered_at").isNotNull())
    of_profiles = completed.join(members.select("actor_id", "profile_id"), on="actor_id", how="inner")
    return of_profiles.select("profile_id", "order_id", "ordered_at", "revenue", "lines")


def purchases(of_profiles: DataFrame) -> DataFrame:
    """`profile_orders` -> one row per profile with orders: `purchases`, what the online store keeps of them.

    array<struct<ordered_at, order_id, products: array<string>>>, in no order; products null = the order named none.
    """
    purchase = F.struct("ordered_at", "order_id", F.col("lines.product_id").alias("products"))
    return of_profiles.groupBy("profile_id").agg(F.collect_list(purchase).alias("purchases"))


def purchases_here(orders: pa.Table, profile_of: Mapping[str, str]) -> pa.Table:
    """`purchases` of few orders, rows of silver.orders with PURCHASE_COLUMNS, on the driver. profile_of: by actor."""
    bought: dict[str, list[dict[str, Any]]] = {}
    for order in orders.filter(pc.is_valid(orders["ordered_at"])).to_pylist():
        lines = order["lines"]
        products = None if lines is None else [line["product_id"] for line in lines]
        of_profile = bought.setdefault(profile_of[order["actor_id"]], [])
        of_profile.append({"ordered_at": order["ordered_at"], "order_id": order["order_id"], "products": products})
    return pa.table({"profile_id": pa.array(bought, pa.string()), "purchases": pa.array(bought.values(), _PURCHASES)})


def rfm(of_profiles: DataFrame) -> DataFrame:
    """`profile_orders` -> one row per profile with orders: first and last order, frequency, monetary."""
    return of_profiles.groupBy("profile_id").agg(*_rfm())


@cache
def _rfm() -> list[Column]:
    return [
        F.min("ordered_at").alias("first_order_at"),
        F.max("ordered_at").alias("last_order_at"),
        F.count(F.lit(1)).alias("frequency"),
        money(F.sum("revenue").cast(EXACT)).alias("monetary"),
    ]


def visits(of_profiles: DataFrame) -> DataFrame:
    """`profile_activity` -> one row per profile: latest event, products looked at and put into a cart."""
    return of_profiles.groupBy("profile_id").agg(
        F.max("last_at").alias("last_seen_at"),
        F.sum("view_count").alias("view_count"),
        F.sum("cart_count").alias("cart_count"),
    )


def summary(of_profiles: DataFrame) -> DataFrame:
    """`profile_activity` -> one row per profile: user ids, first and last event, counts, the latest word on each purpose,
    jurisdictions.

    `is_suppressed`: whether the latest word of any actor is to be left alone; null = no actor ever said so.
    """
    summed = of_profiles.groupBy("profile_id").agg(*_summary())
    return summed.withColumns(_settled()).drop("suppressions")


@cache
def _summary() -> list[Column]:
    suppression = F.when(F.col("suppression").isNotNull(), F.struct("actor_id", "suppression"))
    return [
        F.array_sort(F.collect_set("user_id")).alias("user_ids"),
        F.min("first_at").alias("first_seen_at"),
        F.max("last_at").alias("last_seen_at"),
        F.sum("event_count").alias("event_count"),
        F.sum("view_count").alias("view_count"),
        F.sum("cart_count").alias("cart_count"),
        F.max("loyalty_tier")["tier"].alias("loyalty_tier"),
        F.max("consent.answered_at").alias("answered_at"),
        *(F.flatten(F.collect_list(name)).alias(name) for name in ("also_said", "jurisdictions")),
        *(F.max(f"consent.{purpose}").alias(f"said_of_{purpose}") for purpose in PURPOSES),
        F.collect_list(suppression).alias("suppressions"),
    ]


@cache
def _settled() -> dict[str, Column]:
    return {
        "is_suppressed": _is_suppressed(),
        "also_said": latest_of_each(F.col("also_said")),
        "jurisdictions": in_order(F.col("jurisdictions")),
    }


def _is_suppressed() -> Column:
    return F.when(F.size("suppressions") > 0, _is_any_suppressed(F.col("suppressions")))


def _is_any_suppressed(words: Column) -> Column:
    """array<struct<actor_id, suppression>> -> whether the latest word of any actor is so. Whom another's word would free is not."""

    def is_latest(word: Column) -> Column:
        return ~F.exists(
            words, lambda other: (other["actor_id"] == word["actor_id"]) & (other["suppression"] > word["suppression"])
        )

    return F.exists(words, lambda word: word["suppression"]["is_suppressed"] & is_latest(word))

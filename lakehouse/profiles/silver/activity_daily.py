"""silver.activity_daily: what one actor did on one UTC day, counted.

A stored row is a sum: what a micro-batch brings of the same day, however late, is added to it. So a batch must be added once, and it is:
the commit that holds the sums notes the batch. Adding knows no order; any batching gives the rows that one pass over all events gives.

Columns are built once (`cache`): each is dozens of calls to the JVM, and building them anew took a tenth of a micro-batch.
"""

from collections.abc import Collection
from functools import cache

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.events.money import EXACT, money
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable
from lakehouse.profiles.leaf import COMPLETED, in_order, latest_of_each
from lakehouse.profiles.silver import stored_sums
from lakehouse.tables.contract import (
    ALSO_SAID,
    CONSENT_WORDS,
    LOYALTY_TIER,
    MONEY,
    PRODUCT_TOUCH,
    SUPPRESSION,
    optional,
    required,
)
from lakehouse.tables.people import By, by

_COMPLETION = f"struct<order_id:string,stated_at:timestamp,message_id:string,value:{EXACT}>"


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.activity_daily."""
    return counted(leaves.select(*_of_leaf()))


@cache
def _of_leaf() -> list[Column]:
    user = F.filter("identifiers", lambda i: i["type"] == "user_id")
    completed = F.filter("orders", lambda order: order["kind"] == COMPLETED)
    return [
        F.col("actor_id"),
        F.to_date("activity_day").alias("activity_date"),
        F.get(user, F.lit(0))["token"].alias("user_id"),
        *map(F.col, ("event_count", "view_count", "cart_count", "first_at", "last_at")),
        latest_of_each(F.col("also_said")).alias("also_said"),
        *map(F.col, ("consent", "jurisdictions", "loyalty_tier", "suppression", "products")),
        F.transform(completed, _completion).alias("orders"),
    ]


def summed(rows: DataFrame) -> DataFrame:
    """Rows of silver.activity_daily, several of a key -> one of each."""
    return counted(rows.groupBy(*SILVER_ACTIVITY_DAILY.key).agg(*_sums()))


@cache
def _sums() -> list[Column]:
    words = (F.max(f"consent.{purpose}").alias(purpose) for purpose in PURPOSES)
    return [
        F.first("user_id").alias("user_id"),  # an actor has one, or none
        *(F.sum(name).alias(name) for name in ("event_count", "view_count", "cart_count")),
        F.min("first_at").alias("first_at"),
        F.max("last_at").alias("last_at"),
        F.struct(F.max("consent.answered_at").alias("answered_at"), *words).alias("consent"),
        *(F.max(name).alias(name) for name in ("loyalty_tier", "suppression")),
        *(F.flatten(F.collect_list(name)).alias(name) for name in ("products", "orders", "also_said", "jurisdictions")),
    ]


def counted(rows: DataFrame) -> DataFrame:
    """The rows with what follows from their lists, and these in order: order_count and revenue."""
    return rows.withColumns(_counts())


@cache
def _counts() -> dict[str, Column]:
    first_of_each = first_per_order(F.col("orders"))
    total = F.aggregate(
        first_of_each,
        F.lit(0).cast(EXACT),
        lambda sum_, order: (sum_ + F.coalesce(order["value"], F.lit(0))).cast(EXACT),
        money,
    )
    return {
        "order_count": F.size(first_of_each).cast("bigint"),
        "revenue": total,
        "products": F.array_sort("products"),
        "orders": F.array_sort("orders"),
        "also_said": latest_of_each(F.col("also_said")),
        "jurisdictions": in_order(F.col("jurisdictions")),
    }


def _completion(order: Column) -> Column:
    value = (order["amount"] * order["rate"]).cast(EXACT)
    return F.struct(order["order_id"], order["stated_at"], order["message_id"], value.alias("value"))


def first_per_order(orders: Column) -> Column:
    """Of an array of completions, the earliest of each order_id (ties by message_id)."""
    in_order = F.array_sort(orders)
    return F.filter(
        in_order,
        lambda order, i: (i == 0) | (F.get(in_order, i - 1)["order_id"] != order["order_id"]),
    )


def added(leaves: DataFrame, stored: DataFrame) -> DataFrame:
    """Leaf rows, added to what is stored of their keys -> rows of silver.activity_daily."""
    rows = transform(leaves)
    key = list(SILVER_ACTIVITY_DAILY.key)
    met = stored.join(F.broadcast(rows.select(*key)), on=key, how="left_semi")
    return conform(summed(met.unionByName(rows)), SILVER_ACTIVITY_DAILY)


def merge(lake: Lake, leaves: DataFrame | pa.Table, once: Transaction) -> tuple[()]:
    """Add the rows to what is stored of their keys, once."""
    return stored_sums.add(lake, SILVER_ACTIVITY_DAILY, added, leaves, once)


def look_up(lake: Lake, actors: Collection[str]) -> pa.Table:
    """The rows of these actors, of a lake on this machine."""
    return row_runs.rows_of(lake, SILVER_ACTIVITY_DAILY, actors)


SILVER_ACTIVITY_DAILY = LeafTable(
    name="silver.activity_daily",
    grain="one row per actor and UTC day",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id", "activity_date"),
    transform=transform,
    merge=merge,
    look_up=look_up,
    time_column="activity_date",
    columns=(
        required("actor_id", "string", "actor"),
        required("activity_date", "date", "UTC day of occurred_at"),
        optional("user_id", "string", "the actor's user_id; null = anonymous"),
        required("event_count", "bigint", "events of any kind"),
        required("view_count", "bigint", "Product Viewed events"),
        required("cart_count", "bigint", "Product Added events"),
        required("order_count", "bigint", "distinct order_id among Order Completed"),
        required("revenue", MONEY, "order value before refunds, default_currency"),
        required("first_at", "timestamp", "earliest event of the day"),
        required("last_at", "timestamp", "latest event of the day"),
        optional("consent", CONSENT_WORDS, "latest word of that day on each purpose; answered_at null = nobody asked"),
        optional(
            "loyalty_tier",
            LOYALTY_TIER,
            "latest word of that day on the loyalty tier; its tier null = taken back; null = none told",
        ),
        optional("suppression", SUPPRESSION, "latest word of that day on being left alone; null = none said"),
        optional(
            "products",
            f"array<{PRODUCT_TOUCH}>",
            "products viewed and added to the cart, in order of their ids; kind: view or cart",
        ),
        optional(
            "orders",
            f"array<{_COMPLETION}>",
            "Order Completed events, in order of their order_id; value: default_currency, null = none told",
        ),
        optional(
            "also_said",
            ALSO_SAID,
            "latest word of that day on each declared purpose that `consent` has no field for; null = none",
        ),
        optional("jurisdictions", "array<string>", "ISO 3166: where the day's events came from; null = not known"),
    ),
)

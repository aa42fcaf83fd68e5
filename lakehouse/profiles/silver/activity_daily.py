"""The leaf: what one actor did on one UTC day.

An actor never changes identity, so its sums survive every merge and split; a profile is a sum over its actors. The same
function runs in the stream, under a watermark on `activity_day`, and in the batch rebuild.

Late rule: the watermark column is the event's day, so the deduplication drops an event as late exactly when the
aggregation has closed its day. A closed day is therefore never emitted again, and what batch/reconcile repairs stays.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.money import in_default_currency
from lakehouse.tables.contract import MONEY

# What the leaf needs of an accepted event; silver.events and `events.parse` both have it.
EVENT_COLUMNS = (
    "message_id",
    "actor_id",
    "type",
    "event",
    "occurred_at",
    "order_id",
    "revenue",
    "currency",
    "lines",
    "identifiers",
    "consent",
)


def with_day(events: DataFrame) -> DataFrame:
    """Adds `activity_day`, the midnight UTC that starts the event's day (timestamp: a watermark needs one)."""
    return events.withColumn("activity_day", F.date_trunc("day", "occurred_at"))


def leaf(events: DataFrame, *, rates: Mapping[str, str]) -> DataFrame:
    """Events (EVENT_COLUMNS, traits, activity_day) -> one row per actor and day, with the facts later tables need.

    Counts are of messages; `orders`, `refunds` and `traits` are lists of what was sent, in no order.
    """
    amount = in_default_currency(F.col("revenue"), F.col("currency"), rates)
    is_order = F.col("event") == "Order Completed"
    is_refund = F.col("event") == "Order Refunded"
    return events.groupBy("actor_id", "activity_day").agg(
        F.first("identifiers").alias("identifiers"),
        F.count(F.lit(1)).alias("event_count"),
        F.count(F.when(F.col("event") == "Product Viewed", 1)).alias("view_count"),
        F.count(F.when(F.col("event") == "Product Added", 1)).alias("cart_count"),
        F.min("occurred_at").alias("first_at"),
        F.max("occurred_at").alias("last_at"),
        F.max("consent").alias("consent"),
        F.collect_list(F.when(is_order, _order_fact(amount))).alias("orders"),
        F.collect_list(F.when(is_refund, _refund_fact(amount))).alias("refunds"),
        F.collect_list(F.when(F.col("traits").isNotNull(), _traits_fact())).alias("traits"),
    )


def activity_daily(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.activity_daily."""
    first_of_each = first_per_order(F.col("orders"))
    total = F.aggregate(
        first_of_each,
        F.lit(0).cast(MONEY),
        lambda sum_, order: (sum_ + F.coalesce(order["revenue"], F.lit(0))).cast(MONEY),
    )
    user = F.filter("identifiers", lambda i: i["type"] == "user_id")
    return leaves.select(
        "actor_id",
        F.to_date("activity_day").alias("activity_date"),
        F.get(user, F.lit(0))["token"].alias("user_id"),
        "event_count",
        "view_count",
        "cart_count",
        F.size(first_of_each).cast("bigint").alias("order_count"),
        total.alias("revenue"),
        "first_at",
        "last_at",
        "consent",
    )


def first_per_order(orders: Column) -> Column:
    """Of an array of order facts, the earliest of each order_id (ties by message_id)."""
    in_order = F.array_sort(orders)
    return F.filter(
        in_order,
        lambda order, i: (i == 0) | (F.get(in_order, i - 1)["order_id"] != order["order_id"]),
    )


def _order_fact(amount: Column) -> Column:
    # order_id, then time, then message: array_sort puts an order's earliest completion first.
    return F.struct(
        "order_id",
        F.col("occurred_at").alias("ordered_at"),
        "message_id",
        "actor_id",
        amount.alias("revenue"),
        "currency",
        "lines",
    )


def _refund_fact(amount: Column) -> Column:
    return F.struct("order_id", F.col("occurred_at").alias("refunded_at"), "message_id", amount.alias("amount"))


def _traits_fact() -> Column:
    return F.struct("occurred_at", "traits")

"""The leaf: what one actor did on one UTC day. Every table of profiles is made from leaf rows.

An actor never changes identity, so its sums survive every merge and split; a profile is a sum over its actors. The same
function runs in the stream, under a watermark on `activity_day`, and in the batch rebuild.

Late rule: the watermark column is the event's day, so the deduplication drops an event as late exactly when the
aggregation has closed its day. A closed day is therefore never emitted again, and what batch/reconcile repairs stays.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.contracts import ORDER_COMPLETED, ORDER_REFUNDED, PRODUCT_ADDED, PRODUCT_VIEWED
from lakehouse.events.money import in_default_currency

# What the leaf needs of an accepted event; silver.events and `events.parse` both have it.
EVENT_COLUMNS = (
    "message_id",
    "actor_id",
    "type",
    "event",
    "occurred_at",
    "product_id",
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

    Counts are of messages; `products`, `orders`, `refunds` and `traits` are lists of what was sent, in no order.
    """
    amount = in_default_currency(F.col("revenue"), F.col("currency"), rates)
    is_order = F.col("event") == ORDER_COMPLETED.name
    is_refund = F.col("event") == ORDER_REFUNDED.name
    touch = F.when(
        F.col("product_id").isNotNull(),
        F.when(F.col("event") == PRODUCT_VIEWED.name, "view").when(F.col("event") == PRODUCT_ADDED.name, "cart"),
    )
    return events.groupBy("actor_id", "activity_day").agg(
        F.first("identifiers").alias("identifiers"),
        F.count(F.lit(1)).alias("event_count"),
        F.count(F.when(F.col("event") == PRODUCT_VIEWED.name, 1)).alias("view_count"),
        F.count(F.when(F.col("event") == PRODUCT_ADDED.name, 1)).alias("cart_count"),
        F.min("occurred_at").alias("first_at"),
        F.max("occurred_at").alias("last_at"),
        F.max("consent").alias("consent"),
        F.collect_list(F.when(touch.isNotNull(), _touch_fact(touch))).alias("products"),
        F.collect_list(F.when(is_order, _order_fact(amount))).alias("orders"),
        F.collect_list(F.when(is_refund, _refund_fact(amount))).alias("refunds"),
        F.collect_list(F.when(F.col("traits").isNotNull(), _traits_fact())).alias("traits"),
    )


def _touch_fact(kind: Column) -> Column:
    return F.struct("product_id", kind.alias("kind"), "occurred_at")


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

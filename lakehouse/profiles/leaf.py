"""The leaf: what one actor did on one UTC day. Every table of profiles is made from leaf rows.

An actor never changes identity, so its sums survive every merge and split; a profile is a sum over its actors. The same
function runs over the new events of a micro-batch, whose rows are added to what is stored, and over all of silver in a rebuild.

Late rule: there is none. No day is ever closed.
"""

from collections.abc import Mapping
from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.events.consent import SIGNALS
from lakehouse.events.contracts import (
    ORDER_CANCELLED,
    ORDER_COMPLETED,
    ORDER_REFUNDED,
    ORDER_UPDATED,
    PRODUCT_ADDED,
    PRODUCT_VIEWED,
)
from lakehouse.events.envelope import SUPPRESS, UNSUPPRESS
from lakehouse.events.money import rate
from lakehouse.events.traits import LOYALTY_TIER
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.facts import facts

# What an event says of an order.
COMPLETED, UPDATED, CANCELLED = "completed", "updated", "cancelled"
_STATEMENTS = {ORDER_COMPLETED.name: COMPLETED, ORDER_UPDATED.name: UPDATED, ORDER_CANCELLED.name: CANCELLED}
_OTHER_WORDS = "_other_words"
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
    "consent_basis",
    "location",
)


def with_day(events: DataFrame) -> DataFrame:
    """Adds `activity_day`, the midnight UTC that starts the event's day."""
    return events.withColumn("activity_day", F.date_trunc("day", "occurred_at"))


def leaf(events: DataFrame, *, rates: Mapping[str, str], features: Features = NO_FEATURES) -> DataFrame:
    """Events (EVENT_COLUMNS, traits, source, activity_day, `features.reads`) -> one row per actor and day, with the facts later tables need.

    Counts are of messages; `products`, `orders`, `refunds`, `traits` and `features` are lists of what was sent, in no order.
    """
    figures = _figures(tuple(sorted(rates.items())), features)
    # A column of its own: inside of an aggregate a lambda takes `consent` for the aggregate of that name.
    return events.withColumn(_OTHER_WORDS, _other_words()).groupBy("actor_id", "activity_day").agg(*figures)


@cache
def _figures(rates: tuple[tuple[str, str], ...], features: Features) -> list[Column]:
    """Built once: they are some hundred calls to the JVM."""
    track = F.when(F.col("type") == "track", F.col("event"))  # a page may be called like any of them
    is_view, is_cart = track == PRODUCT_VIEWED.name, track == PRODUCT_ADDED.name
    touch = F.when(F.col("product_id").isNotNull(), F.when(is_view, "view").when(is_cart, "cart"))
    kind = F.coalesce(*(F.when(track == name, F.lit(kind)) for name, kind in _STATEMENTS.items()))
    tells_tier = F.map_contains_key("traits", LOYALTY_TIER)
    tier = F.struct(F.col("occurred_at").alias("at"), F.col("traits")[LOYALTY_TIER].alias("tier"))
    is_suppression = F.col("type").isin(SUPPRESS, UNSUPPRESS)
    its_rate = F.when(F.col("currency").isNotNull(), rate(F.col("currency"), dict(rates)))
    return [
        F.first("identifiers").alias("identifiers"),
        F.count(F.lit(1)).alias("event_count"),
        F.count(F.when(is_view, 1)).alias("view_count"),
        F.count(F.when(is_cart, 1)).alias("cart_count"),
        F.min("occurred_at").alias("first_at"),
        F.max("occurred_at").alias("last_at"),
        latest_words().alias("consent"),
        F.flatten(F.collect_list(_OTHER_WORDS)).alias("also_said"),
        in_order(F.collect_set(_jurisdiction())).alias("jurisdictions"),
        F.max(F.when(tells_tier, tier)).alias("loyalty_tier"),
        F.max(F.when(is_suppression, _suppression())).alias("suppression"),
        F.collect_list(F.when(touch.isNotNull(), _touch_fact(touch))).alias("products"),
        F.collect_list(F.when(kind.isNotNull(), _order_statement(kind, its_rate))).alias("orders"),
        F.collect_list(F.when(track == ORDER_REFUNDED.name, _refund_statement(its_rate))).alias("refunds"),
        F.collect_list(F.when(F.col("traits").isNotNull(), _traits_fact())).alias("traits"),
        F.flatten(F.collect_list(facts(features, its_rate))).alias("features"),
    ]


def latest_words() -> Column:
    """The latest word on each purpose among the events of a group, as CONSENT_WORDS; a null one = nothing was said of it."""

    def word(purpose: str) -> Column:
        said = F.struct("consent.at", "consent.message_id", F.col(f"consent.{purpose}").alias("is_allowed"))
        return F.max(F.when(F.col(f"consent.{purpose}").isNotNull(), said)).alias(purpose)

    # A browser that signals a refusal by itself was not asked, nor was who unsubscribed.
    is_answer = F.coalesce(~F.col("consent_basis.source").isin(*SIGNALS), F.lit(True))
    answered_at = F.max(F.when(is_answer, F.col("consent.at")))
    return F.struct(answered_at.alias("answered_at"), *(word(purpose) for purpose in PURPOSES))


def latest_of_each(said: Column) -> Column:
    """ALSO_SAID, several words of a purpose -> the latest on each, in order; null = none."""
    latest = F.filter(
        said, lambda one: ~F.exists(said, lambda other: (other["purpose"] == one["purpose"]) & (other > one))
    )
    return in_order(latest)


def in_order(values: Column) -> Column:
    """Each once and in order; null = none."""
    return F.when(F.size(values) > 0, F.array_sort(F.array_distinct(values)))


@cache
def _other_words() -> Column:
    """Of one event the words on purposes that `consent` has no field for."""
    return F.transform(
        "consent_basis.others",
        lambda one: F.struct(
            one["purpose"].alias("purpose"),
            F.col("consent.at").alias("at"),
            F.col("consent.message_id").alias("message_id"),
            one["is_allowed"].alias("is_allowed"),
        ),
    )


def _jurisdiction() -> Column:
    return F.coalesce("consent_basis.jurisdiction", "location.region", "location.country")


def _suppression() -> Column:
    return F.struct(F.col("occurred_at").alias("at"), "message_id", (F.col("type") == SUPPRESS).alias("is_suppressed"))


def _touch_fact(kind: Column) -> Column:
    return F.struct("product_id", kind.alias("kind"), "occurred_at")


def _order_statement(kind: Column, rate: Column) -> Column:
    # order_id, then time, then message: array_sort puts an order's earliest statement first.
    return F.struct(
        "order_id",
        F.col("occurred_at").alias("stated_at"),
        "message_id",
        kind.alias("kind"),
        "actor_id",
        F.col("revenue").alias("amount"),
        "currency",
        rate.alias("rate"),
        "lines",
    )


def _refund_statement(rate: Column) -> Column:
    return F.struct(
        "order_id",
        F.col("occurred_at").alias("stated_at"),
        "message_id",
        F.col("revenue").alias("amount"),
        "currency",
        rate.alias("rate"),
        "lines",
    )


def _traits_fact() -> Column:
    return F.struct("occurred_at", "traits", "source")

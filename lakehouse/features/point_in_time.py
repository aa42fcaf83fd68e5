"""Point-in-time features: what was known of a profile at an instant. The one code path for training, stream and rebuild.

The rule. `as_of` is the last instant that is known. An order counts if `ordered_at <= as_of`. Activity is kept by UTC
day, so a day row counts if all of it was known: `last_at <= as_of`. Two kinds of caller:

- training takes `end_of_day` cut-offs, the last microsecond of a UTC day: no row straddles them, so nothing is lost,
  and an event at the next midnight belongs to the label. Labels lie strictly after `as_of`.
- the stream takes the newest event time of the lake: every row it holds counts, and the features of a profile stay
  what they are until it is touched again, so a rebuild with the same `as_of` finds the same numbers.

Two things are left out on purpose because they are not known at `as_of`: the net revenue of an order (a later refund
changes it), so money is order value before refunds, from activity; and nothing is read from segments or scores.
What cannot be left out: profiles are those of today's identity map. A visit before a log-in is credited to the profile
it was joined to later, in features of the past too.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.tables.contract import MONEY

WINDOWS = (7, 30, 90)  # UTC days, the day of `as_of` included
MEASURES = ("views", "carts", "orders", "revenue")
DECAY = 0.05
QUARTER_MICROS = 900_000_000
FEATURES = (
    *(f"{measure}_{days}d" for measure in MEASURES for days in WINDOWS),
    "days_since_seen",  # days from the latest event to as_of
    "days_since_order",  # days from the latest order to as_of; tenure_days if there is none: no order for that long
    "tenure_days",  # days from the earliest event to as_of
    "mean_gap_days",  # mean days between orders; tenure_days below two orders: no second order for that long
    "frequency",  # orders ever
    "revenue_ever",  # order value ever, before refunds, default currency
    "has_ordered",  # 1 or 0
    "has_repeated",  # 1 from the second order, else 0
)


def end_of_day(day: date) -> datetime:
    """Last microsecond of a UTC day, the resolution of a Spark timestamp: a cut-off that no daily row straddles."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)


def features(activity: DataFrame, orders: DataFrame, as_of: datetime | DataFrame) -> DataFrame:
    """One row per (profile_id, as_of) with anything known by then: profile_id, as_of and FEATURES as non-null doubles.

    Args:
        activity: daily rows of profiles, of one or several actors each: profile_id, activity_date, view_count,
            cart_count, revenue, first_at, last_at.
        orders: one row per order: profile_id, ordered_at.
        as_of: one instant for all, or rows (profile_id, as_of), several per profile if wanted; a profile without a row
            is left out.
    """
    return _totals_at(activity, orders, as_of, _totals()).selectExpr("profile_id", "as_of", *_derived())


def served_features(activity: DataFrame, orders: DataFrame, as_of: datetime | DataFrame) -> DataFrame:
    """`features`, and `due_at`: when they are to be taken again though nothing happens.

    It is when a day leaves a window, or when the age of the last event has grown by DECAY of itself and a day, whichever comes first, at the next
    quarter of an hour. So a figure is never older than that: ln(1 + days) has moved by DECAY at most, and a probability whose logit goes by it with weight 1
    by DECAY / 4.
    """
    totals = _totals_at(activity, orders, as_of, [*_totals(), *_oldest()])
    return totals.selectExpr("profile_id", "as_of", f"{_due_at()} AS due_at", *_derived())


def _totals_at(
    activity: DataFrame, orders: DataFrame, as_of: datetime | DataFrame, totals: Iterable[Column]
) -> DataFrame:
    moments = _moments(activity, orders)
    if isinstance(as_of, DataFrame):
        stamped = moments.join(as_of.select("profile_id", "as_of"), on="profile_id", how="inner")
    else:
        stamped = moments.withColumn("as_of", F.lit(as_of))
    known = stamped.where(F.col("known_at") <= F.col("as_of"))
    return known.groupBy("profile_id", "as_of").agg(*totals)


def _moments(activity: DataFrame, orders: DataFrame) -> DataFrame:
    """Daily rows and orders as rows of one shape, so that one aggregation (one shuffle) makes all features."""
    days = activity.selectExpr(
        "profile_id",
        "activity_date AS day",
        "first_at AS began_at",
        "last_at AS known_at",
        "view_count AS views",
        "cart_count AS carts",
        "0L AS orders",
        "revenue",
    )
    bought = orders.selectExpr(
        "profile_id",
        "to_date(ordered_at) AS day",
        "ordered_at AS began_at",
        "ordered_at AS known_at",
        "0L AS views",
        "0L AS carts",
        "1L AS orders",
        f"CAST(0 AS {MONEY}) AS revenue",
    )
    return days.unionByName(bought)


def _totals() -> Iterable[Column]:
    """Sums stay whole numbers and decimals until the end: exact, whatever the order of rows.

    As SQL text, one call to the JVM each: as Column objects they took longer to build than to plan, in every batch.
    """
    for measure in MEASURES:
        for days in WINDOWS:
            is_recent = f"day > date_sub(to_date(as_of), {days})"
            yield F.expr(f"sum(CASE WHEN {is_recent} THEN {measure} ELSE 0 END) AS {measure}_{days}d")
    yield F.expr("sum(orders) AS frequency")
    yield F.expr("sum(revenue) AS revenue_ever")
    yield F.expr("min(began_at) AS first_at")
    yield F.expr("max(known_at) AS last_at")
    yield F.expr("min(CASE WHEN orders > 0 THEN known_at END) AS first_order_at")
    yield F.expr("max(CASE WHEN orders > 0 THEN known_at END) AS last_order_at")


def _oldest() -> Iterable[Column]:
    """The first day within each window on which there was anything to count."""
    for days in WINDOWS:
        counts = f"day > date_sub(to_date(as_of), {days}) AND (views > 0 OR carts > 0 OR orders > 0 OR revenue <> 0)"
        yield F.expr(f"min(CASE WHEN {counts} THEN day END) AS oldest_{days}d")


def _due_at() -> str:
    leaves = (f"CAST(date_add(oldest_{days}d, {days}) AS TIMESTAMP)" for days in WINDOWS)
    age = f"CAST({DECAY}D * (86400000000L + unix_micros(as_of) - unix_micros(last_at)) AS BIGINT)"
    return quarter_after(f"least({', '.join(leaves)}, timestamp_micros(unix_micros(as_of) + {age}))")


def quarter_after(moment: str) -> str:
    """SQL: the moment, or the next full quarter of an hour; null stays null."""
    return f"timestamp_micros(CAST(ceil(unix_micros({moment}) / {QUARTER_MICROS}D) AS BIGINT) * {QUARTER_MICROS}L)"


def _derived() -> list[str]:
    """FEATURES as SQL over the totals."""
    tenure = _days("first_at", "as_of")
    gap = f"{_days('first_order_at', 'last_order_at')} / (frequency - 1)"
    values = {
        "days_since_seen": _days("last_at", "as_of"),
        "days_since_order": f"coalesce({_days('last_order_at', 'as_of')}, {tenure})",
        "tenure_days": tenure,
        "mean_gap_days": f"CASE WHEN frequency >= 2 THEN {gap} ELSE {tenure} END",
        "has_ordered": "frequency >= 1",
        "has_repeated": "frequency >= 2",
    }
    return [f"CAST({values.get(name, name)} AS DOUBLE) AS {name}" for name in FEATURES]


def _days(start: str, end: str) -> str:
    return f"((unix_micros({end}) - unix_micros({start})) / 86400000000D)"

"""What came in, what was left empty and what was rejected: silver.events, silver.event_faults, silver.events_quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.order_balance import order_balance
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries.declarations import declarations
from lakehouse.tables.events import (
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)

MOST_NAMES = 200  # bounds the collect: track names are the sender's, so there may be any number
MOST_DAYS = 20_000  # 55 years of days


@dataclass(frozen=True, kw_only=True)
class EventName:
    """Accepted events of one kind. `event` is None where the type needs no name."""

    type: str
    event: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Day:
    """Accepted events of one UTC day of occurred_at, and the completed orders among them."""

    day: date
    events: int
    orders: int


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Quarantined records of one reason. `example`: their most frequent detail; it never holds a personal value."""

    reason: str
    count: int
    example: str | None


@dataclass(frozen=True, kw_only=True)
class LeftEmpty:
    """Accepted events of one source that left one field empty for one reason. `source`: None = it did not say which it is."""

    source: str | None
    field: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True)
class OrderOutcome:
    """Messages that complete an order, or would, of one outcome: see gold.order_balance."""

    outcome: str
    reason: str | None
    messages: int
    orders: int


@dataclass(frozen=True, kw_only=True)
class EventFacts:
    """`names`: most frequent first. `days`: ascending, days without events left out. `rejections`, `left_empty`, `order_outcomes`: most frequent first."""

    names: Sequence[EventName] = ()
    days: Sequence[Day] = ()
    rejections: Sequence[Rejection] = ()
    left_empty: Sequence[LeftEmpty] = ()
    order_outcomes: Sequence[OrderOutcome] = ()
    bots: int = 0
    clamped: int = 0


def read_events(lake: Lake) -> EventFacts:
    events = lake.read(SILVER_EVENTS)
    days = _days(events)
    return EventFacts(
        names=_names(events),
        days=tuple(Day(day=row["day"], events=row["events"], orders=row["orders"]) for row in days),
        rejections=_rejections(lake.read(SILVER_EVENTS_QUARANTINE)),
        left_empty=_left_empty(lake.read(SILVER_EVENT_FAULTS)),
        order_outcomes=_order_outcomes(lake),
        bots=sum(row["bots"] for row in days),
        clamped=sum(row["clamped"] for row in days),
    )


def _names(events: DataFrame) -> tuple[EventName, ...]:
    # The name of a page or screen is content, not a kind of event.
    name = F.when(F.col("type") == "track", F.col("event"))
    counts = events.groupBy("type", name.alias("event")).count()
    rows = counts.orderBy(F.desc("count"), "type", "event").limit(MOST_NAMES).collect()
    return tuple(EventName(type=row["type"], event=row["event"], count=row["count"]) for row in rows)


def _days(events: DataFrame) -> list[Row]:
    is_order = (F.col("type") == "track") & (F.col("event") == "Order Completed")
    counts = events.groupBy(F.to_date("occurred_at").alias("day")).agg(
        F.count(F.lit(1)).alias("events"),
        F.count_if(F.coalesce(is_order, F.lit(False))).alias("orders"),
        F.count_if("is_bot").alias("bots"),
        F.count_if("is_clamped").alias("clamped"),
    )
    return counts.orderBy(F.desc("day")).limit(MOST_DAYS).collect()[::-1]


def _rejections(quarantine: DataFrame) -> tuple[Rejection, ...]:
    details = quarantine.groupBy("reason", "detail").agg(F.count(F.lit(1)).alias("count"))
    reasons = details.groupBy("reason").agg(
        F.sum("count").alias("count"),
        F.max_by("detail", F.struct(F.col("detail").isNotNull(), "count", "detail")).alias("example"),
    )
    rows = reasons.orderBy(F.desc("count"), "reason").limit(MOST_NAMES).collect()
    return tuple(Rejection(reason=row["reason"], count=row["count"], example=row["example"]) for row in rows)


def _left_empty(faults: DataFrame) -> tuple[LeftEmpty, ...]:
    counts = faults.groupBy("source", "field", "reason").count()
    rows = counts.orderBy(F.desc("count"), "source", "field", "reason").limit(MOST_NAMES).collect()
    return tuple(
        LeftEmpty(source=row["source"], field=row["field"], reason=row["reason"], count=row["count"]) for row in rows
    )


def _order_outcomes(lake: Lake) -> tuple[OrderOutcome, ...]:
    read = (SILVER_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE, SILVER_QUARANTINE_REPLAYS, SILVER_ORDERS)
    balance = order_balance(
        *(lake.read(table) for table in read), config=lake.config, declared=declarations(lake.config)
    )
    rows = balance.orderBy(F.desc("messages"), "outcome", "reason").limit(MOST_NAMES).collect()
    return tuple(OrderOutcome(**row.asDict()) for row in rows)

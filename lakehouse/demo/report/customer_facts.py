"""Customers, segments and scores, read from the gold tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS

BINS = 20  # of purchase_propensity, 0.05 each
MOST_ROWS = 50  # bounds a collect: segments, actions
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class RfmCell:
    """Customers with one r_score and one f_score, 1..5, 5 = best."""

    r: int
    f: int
    profiles: int
    mean_monetary: float


@dataclass(frozen=True, kw_only=True)
class SegmentFacts:
    """Current members of one segment: count, means, total. `recency_days`: from last order to CustomerFacts.as_of."""

    name: str
    profiles: int
    recency_days: float
    frequency: float
    monetary: float
    revenue: Decimal


@dataclass(frozen=True, kw_only=True)
class CustomerFacts:
    """Profiles with orders. `as_of`: newest event; None = no event. `actions`: profiles by next best action."""

    as_of: datetime | None = None
    customers: int = 0
    repeat_customers: int = 0
    orders: int = 0
    revenue: Decimal = Decimal(0)
    cells: Sequence[RfmCell] = ()
    segments: Sequence[SegmentFacts] = ()
    segment_versions: Sequence[str] = ()
    actions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScoreFacts:
    """`histogram`: profiles by propensity, BINS equal bins over 0..1. `mean`: None = no profile has a score."""

    scored: int = 0
    histogram: Sequence[int] = ()
    mean: float | None = None
    versions: Sequence[str] = ()
    horizon_days: int = 30


def read_customers(lake: Lake) -> CustomerFacts:
    rfm = lake.read(GOLD_RFM)
    actions = _actions(lake.read(GOLD_ACTIVATION))
    newest = max((row["newest"] for row in actions), default=None)
    cells = _cells(rfm)
    segments = _segments(rfm, lake.read(GOLD_SEGMENTS).where(F.col("valid_to").isNull()), newest)
    return CustomerFacts(
        as_of=None if newest is None else datetime.fromtimestamp(newest, UTC),
        customers=sum(row["profiles"] for row in cells),
        repeat_customers=sum(row["repeat_customers"] for row in cells),
        orders=sum(row["orders"] for row in cells),
        revenue=sum((row["revenue"] for row in cells), Decimal(0)),
        cells=tuple(
            RfmCell(r=row["r_score"], f=row["f_score"], profiles=row["profiles"], mean_monetary=row["mean_monetary"])
            for row in cells
            if row["r_score"] and row["f_score"]
        ),
        segments=tuple(_segment(row) for row in segments),
        segment_versions=tuple(sorted({version for row in segments for version in row["versions"]})),
        actions={row["next_best_action"]: row["count"] for row in actions},
    )


def _actions(activation: DataFrame) -> list[Row]:
    # As a number: a timestamp would be collected in the time zone of the Python process.
    newest = F.unix_seconds(F.max("last_seen_at")).alias("newest")
    counts = activation.groupBy("next_best_action").agg(F.count(F.lit(1)).alias("count"), newest)
    return counts.orderBy(F.desc("count"), "next_best_action").limit(MOST_ROWS).collect()


def _cells(rfm: DataFrame) -> list[Row]:
    """One row per pair of r_score and f_score, nulls (no model yet) among them; together they are all customers."""
    cells = rfm.groupBy("r_score", "f_score").agg(
        F.count(F.lit(1)).alias("profiles"),
        F.count_if(F.col("frequency") > 1).alias("repeat_customers"),
        F.sum("frequency").alias("orders"),
        F.sum("monetary").alias("revenue"),
        F.avg("monetary").cast("double").alias("mean_monetary"),
    )
    return cells.orderBy("r_score", "f_score").collect()


def _segments(rfm: DataFrame, members: DataFrame, newest: int | None) -> list[Row]:
    """One row per segment, largest revenue first. A member that has left gold.rfm since is not counted."""
    age = (F.lit(newest).cast("double") - F.col("last_order_at").cast("double")) / SECONDS_PER_DAY
    figures = (
        members.select("profile_id", "segment", "model_version")
        .join(rfm, on="profile_id", how="inner")
        .groupBy("segment")
        .agg(
            F.count(F.lit(1)).alias("profiles"),
            F.coalesce(F.avg(F.greatest(age, F.lit(0.0))), F.lit(0.0)).alias("recency_days"),
            F.avg("frequency").alias("frequency"),
            F.avg("monetary").cast("double").alias("monetary"),
            F.sum("monetary").alias("revenue"),
            F.collect_set("model_version").alias("versions"),
        )
    )
    return figures.orderBy(F.desc("revenue"), "segment").limit(MOST_ROWS).collect()


def _segment(row: Row) -> SegmentFacts:
    return SegmentFacts(
        name=row["segment"],
        profiles=row["profiles"],
        recency_days=row["recency_days"],
        frequency=row["frequency"],
        monetary=row["monetary"],
        revenue=row["revenue"],
    )


def read_scores(lake: Lake) -> ScoreFacts:
    scores = lake.read(GOLD_SCORES).where(F.col("purchase_propensity").isNotNull())
    bin_of = F.least(F.floor(F.col("purchase_propensity") * BINS), F.lit(BINS - 1)).cast("int")
    bins = scores.groupBy(bin_of.alias("bin")).agg(
        F.count(F.lit(1)).alias("count"),
        F.sum("purchase_propensity").alias("total"),
        F.collect_set("model_version").alias("versions"),
    )
    counts = {row["bin"]: row for row in bins.collect()}
    scored = sum(row["count"] for row in counts.values())
    return ScoreFacts(
        scored=scored,
        histogram=tuple(counts[b]["count"] if b in counts else 0 for b in range(BINS)) if scored else (),
        mean=sum(row["total"] for row in counts.values()) / scored if scored else None,
        versions=tuple(sorted({version for row in counts.values() for version in row["versions"]})),
        horizon_days=lake.config.scores.horizon_days,
    )

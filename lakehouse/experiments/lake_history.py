"""How a metric behaved when nothing was tried: everybody who came in a time of the past, as if exposed when they came first.

They are measured by what reads experiments out, so what is planned with is what will be read.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import StitchlakeError
from lakehouse.experiments.arm_estimates import estimated, less_explained
from lakehouse.experiments.definitions import Experiments
from lakehouse.experiments.lake_readout import measure
from lakehouse.experiments.metrics import BEFORE, Judged
from lakehouse.lake.delta import Lake
from lakehouse.profiles.silver import SILVER_ACTIVITY_DAILY
from lakehouse.tables.identity import SILVER_IDENTITY_MAP


@dataclass(frozen=True, kw_only=True)
class MetricHistory:
    """`value`: of everybody. `variance`: of one person, and what of it covariates leave. `people`: that came within `days`."""

    metric: str
    people: int
    days: int
    value: float
    variance: float
    variance_left: float


def histories(lake: Lake, judged: Judged, experiments: Experiments, *, days: int) -> list[MetricHistory]:
    """One for every metric of `judged` that is declared. `days`: how long people came in.

    Raises:
        StitchlakeError: the lake holds fewer days than `days` and the metrics' window after, or nobody came.
    """
    activity = lake.read(SILVER_ACTIVITY_DAILY)
    oldest, newest = activity.agg(F.min("activity_date"), F.max("activity_date")).toPandas().iloc[0]
    first = _period(oldest, newest, judged, days)
    came = first_visits(activity, lake.read(SILVER_IDENTITY_MAP), first, first + timedelta(days=days)).toPandas()
    if came.empty:
        raise StitchlakeError(
            f"experiments plan: nobody came in the {days} days from {first} on, expected some. Take other --days"
        )
    measured = measure(lake, came, judged, experiments)
    units = came.merge(measured.units, on="unit").assign(arm="all")
    before = [BEFORE + name for name in measured.covariates]
    found = []
    for name in judged.asked:
        plain = estimated(name, measured.declared, units, {"all": units})
        left = less_explained(plain, {"all": units}, before)
        found.append(
            MetricHistory(
                metric=name,
                people=len(units),
                days=days,
                value=plain["all"].value,
                variance=plain["all"].moments.variance,
                variance_left=left["all"].moments.variance,
            )
        )
    return found


def first_visits(activity: DataFrame, identity_map: DataFrame, first: date, end: date) -> DataFrame:
    """unit, occurred_at: everybody active on a day from `first` up to but not including `end`, and when they first were."""
    came = activity.where((F.col("activity_date") >= F.lit(first)) & (F.col("activity_date") < F.lit(end)))
    persons = came.join(identity_map.select("actor_id", F.col("profile_id").alias("unit")), on="actor_id")
    return persons.groupBy("unit").agg(F.min("first_at").alias("occurred_at"))


def _period(oldest: date | None, newest: date | None, judged: Judged, days: int) -> date:
    """The first day of the latest period after which the metrics' window is over."""
    if oldest is None or newest is None or pd.isna(oldest):
        raise StitchlakeError(
            "experiments plan: silver.activity_daily is empty, expected a history. Fill the lake first"
        )
    first = newest - timedelta(days=judged.window_days + days)
    if first < oldest:
        held = (newest - oldest).days
        raise StitchlakeError(
            f"experiments plan: got a history of {held} days, expected {days} (--days) and {judged.window_days} (window_days). "
            "Take fewer"
        )
    return first

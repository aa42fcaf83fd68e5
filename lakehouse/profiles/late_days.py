"""Days of actors that events reached after the `profiles` query had closed them: which they are, and their leaf rows from silver."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.rebuild import rebuilt_leaves
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.tables.events import SILVER_EVENTS


def closed_to(newest: datetime, watermark_days: int) -> datetime:
    """The last day, as its midnight UTC, that the query takes nothing in of any more, when its newest event is of `newest`."""
    midnight = newest.replace(tzinfo=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=watermark_days)


def late_days(silver_events: DataFrame, silver_activity_daily: DataFrame, *, to: datetime) -> DataFrame:
    """[actor_id, activity_day] of which silver has more events than the leaf, up to the day that begins at `to`."""
    is_closed = F.col("activity_day") <= F.lit(to)
    of_actors = silver_events.where(~F.col("is_bot")).select(
        "actor_id", F.date_trunc("day", "occurred_at").alias("activity_day")
    )
    counts = of_actors.where(is_closed).groupBy("actor_id", "activity_day").count()
    known = silver_activity_daily.select(
        "actor_id", F.col("activity_date").cast("timestamp").alias("activity_day"), "event_count"
    )
    joined = counts.join(known.where(is_closed), on=["actor_id", "activity_day"], how="left")
    return joined.where(F.col("count") > F.coalesce("event_count", F.lit(0))).select("actor_id", "activity_day")


def late_leaves(lake: Lake, *, to: datetime) -> DataFrame:
    """Leaf rows of `late_days`: absolute, with everything silver has of these days. Empty where there is none."""
    days = late_days(lake.read(SILVER_EVENTS), lake.read(SILVER_ACTIVITY_DAILY), to=to).localCheckpoint()
    return rebuilt_leaves(lake, of=days)

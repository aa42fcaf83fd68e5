"""Which closed days of an actor silver knows more of than the leaf."""

from datetime import UTC, date, datetime

from pyspark.sql import Row, SparkSession

from lakehouse.profiles.late_days import closed_to, late_days
from tests.accepted import at


def test_only_closed_days_and_only_where_silver_has_more(spark: SparkSession) -> None:
    sent = [
        ("a", "2026-02-01 10:00", False),
        ("a", "2026-02-01 23:59", False),  # late: the leaf has one of two
        ("b", "2026-02-01 10:00", False),  # late: the leaf has none
        ("c", "2026-02-01 10:00", False),  # known
        ("d", "2026-02-01 10:00", True),  # a robot's
        ("e", "2026-02-02 00:00", False),  # late, on the last closed day
        ("a", "2026-02-03 10:00", False),  # of a day the query still takes in
    ]
    events = spark.createDataFrame(
        [(actor, at(time), is_bot) for actor, time, is_bot in sent],
        "actor_id string, occurred_at timestamp, is_bot boolean",
    )
    daily = spark.createDataFrame(
        [("a", date(2026, 2, 1), 1), ("c", date(2026, 2, 1), 1), ("f", date(2026, 2, 1), 9)],
        "actor_id string, activity_date date, event_count bigint",
    )
    found = late_days(events, daily, to=closed_to(datetime(2026, 2, 9, 17), 7)).orderBy("actor_id").collect()
    first, last = datetime(2026, 2, 1), datetime(2026, 2, 2)
    assert found == [Row("a", first), Row("b", first), Row("e", last)]


def test_the_last_closed_day_is_the_one_spark_drops_to() -> None:
    """Spark drops what is not after the watermark: the newest day less the allowed ones."""
    assert closed_to(datetime(2026, 2, 9, 17, 30), 7) == datetime(2026, 2, 2, tzinfo=UTC)

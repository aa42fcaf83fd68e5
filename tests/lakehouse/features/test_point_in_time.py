"""Features know what happened up to as_of and nothing else; a plain pandas model is the oracle."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from lakehouse.features.point_in_time import FEATURES, MEASURES, WINDOWS, end_of_day, features

ACTIVITY = (
    "profile_id string, activity_date date, view_count bigint, cart_count bigint, revenue decimal(18,2), "
    "first_at timestamp, last_at timestamp"
)
ORDERS = "profile_id string, order_id string, ordered_at timestamp, revenue decimal(18,2)"
START = datetime(2026, 1, 1, tzinfo=UTC)
Day = tuple[str, date, int, int, Decimal, datetime, datetime]
Order = tuple[str, str, datetime, Decimal]


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def active(profile: str, day: int, *, views: int = 0, carts: int = 0, revenue: str = "0", last: float = 0.5) -> Day:
    """A day row whose events lie between a quarter of the day and `last` of it."""
    return (profile, at(day).date(), views, carts, Decimal(revenue), at(day + min(0.25, last)), at(day + last))


def ordered(profile: str, order: str, moment: float) -> Order:
    return (profile, order, at(moment), Decimal("10.00"))


def frames(spark: SparkSession, days: Sequence[Day], orders: Sequence[Order]) -> tuple[DataFrame, DataFrame]:
    return spark.createDataFrame(list(days), ACTIVITY), spark.createDataFrame(list(orders), ORDERS)


def rows_of(found: DataFrame) -> dict[str, dict[str, float]]:
    return {row["profile_id"]: {name: row[name] for name in FEATURES} for row in found.collect()}


def test_every_feature_of_one_profile_is_as_worked_out_by_hand(spark: SparkSession) -> None:
    days = [
        active("ann", 0, views=1),
        active("ann", 60, views=2, carts=1, revenue="30"),
        active("ann", 95, views=4, revenue="5.50"),
        active("ann", 99, carts=3),
    ]
    orders = [ordered("ann", "o1", 60.5), ordered("ann", "o2", 95.5)]
    found = rows_of(features(*frames(spark, days, orders), at(100)))["ann"]
    assert found == {
        **{"views_7d": 4, "views_30d": 4, "views_90d": 6, "carts_7d": 3, "carts_30d": 3, "carts_90d": 4},
        **{
            "orders_7d": 1,
            "orders_30d": 1,
            "orders_90d": 2,
            "revenue_7d": 5.5,
            "revenue_30d": 5.5,
            "revenue_90d": 35.5,
        },
        **{"days_since_seen": 0.5, "days_since_order": 4.5, "tenure_days": 99.75, "mean_gap_days": 35},
        **{"frequency": 2, "revenue_ever": 35.5, "has_ordered": 1, "has_repeated": 1},
    }


def test_never_ordered_counts_as_no_order_for_all_the_time_known(spark: SparkSession) -> None:
    found = rows_of(features(*frames(spark, [active("ann", 10, views=1)], []), at(20)))["ann"]
    assert (found["has_ordered"], found["days_since_order"], found["mean_gap_days"]) == (0, 9.75, 9.75)


def test_what_happens_at_as_of_counts_and_a_microsecond_later_does_not(spark: SparkSession) -> None:
    now, later = 50.5, 50.5 + 1e-6 / 86_400
    days = [
        active("ann", 50, views=1, last=0.5),
        active("bob", 50, views=1, last=later - 50),
        active("bob", 40, views=5),
    ]
    orders = [ordered("ann", "o1", now), ordered("bob", "o2", later)]
    found = rows_of(features(*frames(spark, days, orders), at(now)))
    assert (found["ann"]["views_7d"], found["ann"]["frequency"]) == (1, 1)
    assert (found["bob"]["views_30d"], found["bob"]["frequency"]) == (5, 0)


def test_a_profile_first_seen_after_as_of_has_no_row(spark: SparkSession) -> None:
    assert rows_of(features(*frames(spark, [active("ann", 50)], [ordered("ann", "o1", 50.3)]), at(50))) == {}


def test_a_window_of_seven_days_has_the_day_of_as_of_and_six_before(spark: SparkSession) -> None:
    days = [active("ann", 93, views=1), active("ann", 94, views=10), active("ann", 100, views=100)]
    found = rows_of(features(*frames(spark, days, []), end_of_day(at(100).date())))["ann"]
    assert found["views_7d"] == 110


def test_end_of_day_is_the_last_microsecond_before_midnight_utc() -> None:
    assert end_of_day(date(2026, 1, 1)) == datetime(2026, 1, 1, 23, 59, 59, 999999, UTC)


def test_as_of_may_differ_by_profile_and_come_twice(spark: SparkSession) -> None:
    days = [active(who, day, views=1) for who in ("ann", "bob") for day in (1, 2, 3)]
    stamps = spark.createDataFrame(
        [("ann", at(2)), ("ann", at(4)), ("bob", at(3))], "profile_id string, as_of timestamp"
    )
    found = features(*frames(spark, days, []), stamps).select("profile_id", "as_of", "views_7d").collect()
    seen = {(row[0], row[1].timestamp()): row[2] for row in found}
    assert seen == {("ann", at(2).timestamp()): 1, ("ann", at(4).timestamp()): 3, ("bob", at(3).timestamp()): 2}


# Every example is a Spark job: few and large ones, and no shrinking, which would run hundreds.
IN_SPARK = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MOMENT = st.integers(0, 120 * 24 * 3600).map(lambda second: START + timedelta(seconds=second))
HISTORY = st.lists(
    st.tuples(
        st.integers(0, 30).map(lambda number: f"p{number}"),
        MOMENT,
        st.sampled_from(["view", "cart", "order"]),
        st.integers(1, 9999),
    ),
    min_size=1,
    max_size=150,
)


def daily(history: Sequence[tuple[str, datetime, str, int]]) -> tuple[list[Day], list[Order]]:
    """What the leaf keeps of single events: day rows, and orders."""
    by_day: dict[tuple[str, date], list[tuple[datetime, str, int]]] = {}
    for who, moment, kind, cents in history:
        by_day.setdefault((who, moment.date()), []).append((moment, kind, cents))
    days = []
    for (who, day), events in by_day.items():
        spent = Decimal(sum(cents for _, kind, cents in events if kind == "order")) / 100
        kinds, moments = [kind for _, kind, _ in events], [moment for moment, _, _ in events]
        days.append((who, day, kinds.count("view"), kinds.count("cart"), spent, min(moments), max(moments)))
    orders = [
        (who, f"o{i}", moment, Decimal(cents) / 100)
        for i, (who, moment, kind, cents) in enumerate(history)
        if kind == "order"
    ]
    return days, orders


def plain_model(history: Sequence[tuple[str, datetime, str, int]], day: date) -> dict[str, dict[str, float]]:
    """The features at the end of `day` straight from single events, in pandas."""
    as_of = end_of_day(day)
    events = pd.DataFrame(history, columns=["who", "at", "kind", "cents"])
    events = events[events["at"] <= as_of]
    return {str(who): _one(mine, as_of) for who, mine in events.groupby("who")}


def _one(mine: pd.DataFrame, as_of: datetime) -> dict[str, float]:
    def days(delta: timedelta) -> float:
        return delta / timedelta(days=1)

    bought = mine[mine["kind"] == "order"]["at"]
    tenure = days(as_of - mine["at"].min())
    found: dict[str, float] = {
        "days_since_seen": days(as_of - mine["at"].max()),
        "days_since_order": days(as_of - bought.max()) if len(bought) else tenure,
        "tenure_days": tenure,
        "mean_gap_days": days(bought.max() - bought.min()) / (len(bought) - 1) if len(bought) > 1 else tenure,
        "frequency": len(bought),
        "revenue_ever": mine.loc[mine["kind"] == "order", "cents"].sum() / 100,
        "has_ordered": float(len(bought) > 0),
        "has_repeated": float(len(bought) > 1),
    }
    for window in WINDOWS:
        recent = mine[mine["at"] > as_of - timedelta(days=window)]
        kinds = recent["kind"].value_counts()
        counts = (kinds.get("view", 0), kinds.get("cart", 0), kinds.get("order", 0))
        spent = recent.loc[recent["kind"] == "order", "cents"].sum() / 100
        for measure, value in zip(MEASURES, (*counts, spent), strict=True):
            found[f"{measure}_{window}d"] = value
    return found


@settings(IN_SPARK, max_examples=4)
@given(history=HISTORY, day=st.integers(0, 120).map(lambda days: (START + timedelta(days=days)).date()))
def test_features_at_a_days_end_equal_a_plain_model_of_single_events(
    spark: SparkSession, history: list[tuple[str, datetime, str, int]], day: date
) -> None:
    found = rows_of(features(*frames(spark, *daily(history)), end_of_day(day)))
    expected = plain_model(history, day)
    assert found.keys() == expected.keys()
    for who, values in expected.items():
        assert found[who] == pytest.approx(values, abs=1e-9)


@settings(IN_SPARK, max_examples=3)
@given(history=HISTORY, future=HISTORY, shift=st.integers(0, 400))
def test_whatever_happens_after_as_of_leaves_the_features_alone(
    spark: SparkSession,
    history: list[tuple[str, datetime, str, int]],
    future: list[tuple[str, datetime, str, int]],
    shift: int,
) -> None:
    day = (START + timedelta(days=120)).date()
    later = [(who, moment + timedelta(days=121 + shift), kind, cents) for who, moment, kind, cents in future]
    without = rows_of(features(*frames(spark, *daily(history)), end_of_day(day)))
    assert rows_of(features(*frames(spark, *daily(history + later)), end_of_day(day))) == without

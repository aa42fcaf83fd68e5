"""Cut-offs keep a horizon between slices; a label is an order strictly after as_of and within the horizon."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES, features
from lakehouse.models.examples import SPLITS, TRAIN_CUT_OFFS, collected, cut_offs, examples, leaking, moments

FIRST = date(2026, 1, 1)


def test_cut_offs_of_a_year_are_as_worked_out_by_hand() -> None:
    found = cut_offs(FIRST, FIRST + timedelta(days=364), 28)
    days = [[(day - FIRST).days for day in split.all] for split in found.splits]
    assert days[0] == [307, 293, 279, 265, 335]
    assert days == [[day - 7 * number for day in days[0]] for number in range(5)]
    assert [(day - FIRST).days for day in found.refit] == [335, 321, 307, 293]


@given(span=st.integers(0, 800), horizon=st.integers(1, 90))
def test_labels_of_train_slices_are_over_before_the_test_slice_begins(span: int, horizon: int) -> None:
    newest = FIRST + timedelta(days=span)
    try:
        found = cut_offs(FIRST, newest, horizon)
    except ModelError:
        assert span < 1 + 2 * horizon + horizon // 4
        return
    ahead = timedelta(days=horizon)
    assert 1 <= len(found.splits) <= SPLITS
    assert len({split.test for split in found.splits}) == len(found.splits)
    assert max(found.all) == max(found.refit) == found.splits[0].test
    for split in found.splits:
        assert max(split.train) == split.train[0]
        assert 1 <= len(split.train) <= TRAIN_CUT_OFFS
        assert split.train[0] + ahead <= split.test
        assert split.test + ahead < newest
        assert min(split.train) >= FIRST + timedelta(days=horizon // 4)
        assert {*split.all, *found.refit} <= {*found.all}
    assert span < 1 + 2 * horizon + horizon // 4 + 2 * SPLITS or len(found.splits) > 1


def test_too_short_a_history_is_one_line_that_says_how_much_is_needed() -> None:
    with pytest.raises(ModelError, match=r"got 67 days, expected 68 or more") as raised:
        cut_offs(FIRST, FIRST + timedelta(days=67), 30)
    assert len(str(raised.value).splitlines()) == 1


def test_an_order_is_a_label_strictly_after_as_of_and_up_to_the_horizon(spark: SparkSession) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)  # as_of is a microsecond before
    ordered = {
        "just before": midnight - timedelta(microseconds=1),
        "at midnight": midnight,
        "last moment": midnight + timedelta(days=30) - timedelta(microseconds=1),
        "too late": midnight + timedelta(days=30),
    }
    names = [(name,) for name in (*ordered, "never")]
    seen = midnight - timedelta(days=9)
    activity = spark.createDataFrame(
        [(name, seen.date(), 1, 0, Decimal(0), seen, seen) for (name,) in names],
        "profile_id string, activity_date date, view_count bigint, cart_count bigint, revenue decimal(18,2), "
        "first_at timestamp, last_at timestamp",
    )
    orders = spark.createDataFrame(list(ordered.items()), "profile_id string, ordered_at timestamp")
    at_the_end = moments(activity, spark.createDataFrame(names, "profile_id string"), [date(2026, 3, 1)])
    found = examples(activity, orders, at_the_end, 30).collect()
    assert {row["profile_id"]: (row["frequency"], row["happened"]) for row in found if not row["is_touch"]} == {
        "just before": (1, 0),
        "at midnight": (0, 1),
        "last moment": (0, 1),
        "too late": (0, 0),
        "never": (0, 0),
    }


ACTIVITY = "profile_id string, activity_date date, view_count bigint, cart_count bigint, revenue decimal(18,2), first_at timestamp, last_at timestamp"
CUT_OFF = date(2026, 3, 31)


def day(who: str, at: datetime, carts: int = 0) -> tuple[object, ...]:
    return who, at.date(), 1, carts, Decimal(0), at - timedelta(hours=1), at


def at(month: int, of_month: int, hour: int = 12) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


def lake_of(spark: SparkSession) -> tuple[DataFrame, DataFrame, DataFrame]:
    """ann comes on three days of the last week, and buys in April; bob was last there in February."""
    days = [day("ann", at(3, 1)), day("ann", at(3, 26, 9)), day("ann", at(3, 28)), day("ann", at(4, 20), carts=5)]
    activity = spark.createDataFrame([*days, day("bob", at(2, 1))], ACTIVITY)
    orders = spark.createDataFrame([("ann", at(3, 1)), ("ann", at(4, 20))], "profile_id string, ordered_at timestamp")
    return activity, orders, spark.createDataFrame([("ann",), ("bob",)], "profile_id string")


def test_a_touch_is_the_first_of_the_week_and_knows_nothing_that_came_after_it(spark: SparkSession) -> None:
    """The last touch before a cut-off would tell that nothing came between."""
    activity, orders, profiles = lake_of(spark)
    told = examples(activity, orders, moments(activity, profiles, [CUT_OFF]), 30)
    found = {(row["profile_id"], row["is_touch"]): row for row in told.collect()}
    assert sorted(found) == [("ann", False), ("ann", True), ("bob", False)]
    touch, end = found["ann", True], found["ann", False]
    assert touch["as_of"].replace(tzinfo=UTC) == at(3, 26, 9)
    assert (touch["days_since_seen"], touch["views_7d"], touch["frequency"]) == (0.0, 1.0, 1.0)
    assert end["views_7d"] == 2.0
    assert (touch["happened"], end["happened"]) == (1.0, 1.0)
    known = collected(told.toArrow())
    assert (len(known), len(known.at(CUT_OFF)), known.person.tolist()) == (3, 3, [0, 0, 1])
    assert known.column("views_7d").tolist() == [1.0, 2.0, 0.0]


def test_a_feature_that_knows_the_future_is_found_out_and_those_of_the_product_are_not(spark: SparkSession) -> None:
    def peeking(activity: DataFrame, orders: DataFrame, moments: DataFrame) -> DataFrame:
        """carts_7d as it would be if it counted the carts of the whole history."""
        known = features(activity, orders, moments)
        later = activity.groupBy("profile_id").agg(F.sum("cart_count").cast("double").alias("ever"))
        names = [
            F.col("ever").alias(name) if name == "carts_7d" else F.col(name)
            for name in ("profile_id", "as_of", *FEATURES)
        ]
        return known.join(later, on="profile_id").select(*names)

    activity, orders, profiles = lake_of(spark)
    at_cut_off = moments(activity, profiles, [CUT_OFF]).localCheckpoint()
    for compute, expected in ((features, ()), (peeking, ("carts_7d",))):
        told = examples(activity, orders, at_cut_off, 30, compute=compute).toArrow()
        assert leaking(told, activity, orders, CUT_OFF, compute=compute) == expected

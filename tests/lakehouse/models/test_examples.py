"""Cut-offs keep a horizon between slices; a label is an order strictly after as_of and within the horizon."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lakehouse.errors import ModelError
from lakehouse.models.examples import cut_offs, examples

FIRST = date(2026, 1, 1)


def test_cut_offs_of_a_year_are_as_worked_out_by_hand() -> None:
    found = cut_offs(FIRST, FIRST + timedelta(days=364), 30)
    days = [(day - FIRST).days for day in found.all]
    assert days == [273, 258, 243, 303, 333]


@given(span=st.integers(0, 800), horizon=st.integers(1, 90))
def test_labels_of_a_slice_are_over_before_the_next_slice_begins(span: int, horizon: int) -> None:
    newest = FIRST + timedelta(days=span)
    try:
        found = cut_offs(FIRST, newest, horizon)
    except ModelError:
        assert span < 1 + 3 * horizon + horizon // 4
        return
    ahead = timedelta(days=horizon)
    assert max(found.train) + ahead <= found.validation
    assert found.validation + ahead <= found.test
    assert found.test + ahead < newest
    assert min(found.train) >= FIRST + timedelta(days=horizon // 4)


def test_too_short_a_history_is_one_line_that_says_how_much_is_needed() -> None:
    with pytest.raises(ModelError, match=r"got 97 days, expected 98 or more") as raised:
        cut_offs(FIRST, FIRST + timedelta(days=97), 30)
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
    found = examples(
        activity, orders, spark.createDataFrame(names, "profile_id string"), [date(2026, 3, 1)], 30
    ).collect()
    assert {row["profile_id"]: (row["frequency"], row["label"]) for row in found} == {
        "just before": (1, 0),
        "at midnight": (0, 1),
        "last moment": (0, 1),
        "too late": (0, 0),
        "never": (0, 0),
    }

"""Quintile scores have pandas.qcut's bins; a segment is a function of the row and the model."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.models.segment_model import Segment, SegmentModel

RFM = "profile_id string, first_order_at timestamp, last_order_at timestamp, frequency bigint, monetary decimal(18,2)"
REFERENCE = datetime(2026, 3, 1, tzinfo=UTC)


def segment(name: str, *centroid: float) -> Segment:
    return Segment(name=name, centroid=centroid, profiles=1, recency_days=0.0, frequency=1.0, monetary=1.0)


def micros(days: float) -> float:
    return (REFERENCE + timedelta(days=days)).timestamp() * 1e6


MODEL = SegmentModel(
    version="3",
    reference_micros=int(micros(0)),
    cuts={
        "last_order_at": (micros(-40), micros(-30), micros(-20), micros(-10)),
        "frequency": (1.0, 1.0, 2.0, 4.0),
        "monetary": (10.0, 20.0, 30.0, 40.0),
    },
    means=(0.0, 0.0, 0.0),
    deviations=(1.0, 1.0, 1.0),
    segments=(
        segment("fresh", 0.0, 0.7, 0.0),
        segment("stale", 4.0, 0.7, 0.0),
        segment("twin of stale", 4.0, 0.7, 0.0),
    ),
)


def rfm(spark: SparkSession, *rows: tuple[str, float, int, str]) -> DataFrame:
    """Rows of (profile, days of the last order after the reference, orders, money)."""
    values = [
        (who, REFERENCE + timedelta(days=last), REFERENCE + timedelta(days=last), orders, Decimal(money))
        for who, last, orders, money in rows
    ]
    return spark.createDataFrame(values, RFM)


def assigned(model: SegmentModel, frame: DataFrame, as_of: datetime = REFERENCE) -> DataFrame:
    placed = frame.withColumn("as_of", F.lit(as_of)).withColumn("_place", model.place())
    due = {"r_due_at": model.quintiles_due_at(), "segment_due_at": F.timestamp_micros("_place.due")}
    return placed.withColumns({**model.quintiles(), **due, "segment": F.col("_place.segment")})


def said(frame: DataFrame) -> dict[str, tuple[int, int, int, str]]:
    rows = assigned(MODEL, frame).collect()
    return {row["profile_id"]: (row["r_score"], row["f_score"], row["m_score"], row["segment"]) for row in rows}


def test_scores_and_segment_are_as_worked_out_by_hand(spark: SparkSession) -> None:
    frame = rfm(spark, ("ann", -5, 9, "99.00"), ("bob", -35, 2, "20.00"), ("cyd", -100, 1, "0.01"))
    assert said(frame) == {"ann": (5, 5, 5, "fresh"), "bob": (2, 3, 2, "stale"), "cyd": (1, 1, 1, "stale")}


def test_a_value_on_a_cut_point_belongs_below_it(spark: SparkSession) -> None:
    frame = rfm(spark, ("on", -10, 4, "40.00"), ("over", -9.999, 5, "40.01"))
    assert said(frame) == {"on": (4, 4, 4, "stale"), "over": (5, 5, 5, "stale")}


def test_of_two_centroids_at_one_distance_the_first_is_taken(spark: SparkSession) -> None:
    assert said(rfm(spark, ("bob", -60, 1, "5")))["bob"][3] == "stale"


def test_an_order_after_the_reference_is_as_recent_as_one_at_it(spark: SparkSession) -> None:
    frame = rfm(spark, ("at", 0, 1, "5"), ("after", 400, 1, "5"))
    assert said(frame)["at"] == said(frame)["after"]


def test_refunds_beyond_orders_are_the_lowest_money_and_no_fault(spark: SparkSession) -> None:
    frame = rfm(spark, ("none", -5, 1, "0"), ("less", -5, 1, "-500"))
    assert said(frame) == {"none": (5, 1, 1, "fresh"), "less": (5, 1, 1, "fresh")}


def test_scores_are_whole_numbers_and_due_is_a_time(spark: SparkSession) -> None:
    types = dict(assigned(MODEL, rfm(spark, ("ann", -5, 9, "99"))).dtypes)
    assert {types[name] for name in ("r_score", "f_score", "m_score")} == {"int"}
    assert types["r_due_at"] == types["segment_due_at"] == "timestamp"


def test_r_score_falls_as_days_pass_and_says_when(spark: SparkSession) -> None:
    """Five days before the reference: 10, 20, 30 and 40 days old, it is on a cut point, which belongs below it."""
    frame = rfm(spark, ("ann", -5, 9, "99.00"))
    falls = [REFERENCE + timedelta(days=days) for days in (5, 15, 25, 35)]
    instants = sorted(
        {REFERENCE - timedelta(days=400), REFERENCE, *falls, *(at - timedelta(microseconds=1) for at in falls)}
    )
    for as_of in instants:
        (row,) = assigned(MODEL, frame, as_of).collect()
        ahead = [at for at in falls if at > as_of]
        assert row["r_score"] == 1 + len(ahead)
        due = row["r_due_at"]
        assert (due and due.replace(tzinfo=UTC)) == (ahead[0] if ahead else None)


def test_a_cut_point_between_two_quarters_of_an_hour_is_due_at_the_later_one(spark: SparkSession) -> None:
    frame = rfm(spark, ("ann", -5 + 7 / 1440, 9, "99.00"))
    (row,) = assigned(MODEL, frame).collect()
    assert row["r_due_at"].replace(tzinfo=UTC) == REFERENCE + timedelta(days=5, minutes=15)


def test_the_stream_has_what_the_path_says(spark: SparkSession) -> None:
    frame = rfm(spark, ("ann", 0, 1, "1.00"), ("bob", -3, 2, "0.00"))
    halfway = np.expm1(2.0)  # days, as far from both centres
    for days, name, due in ((0, "fresh", halfway), (halfway + 0.001, "stale", None), (4_000, "stale", None)):
        ann, _ = assigned(MODEL, frame, REFERENCE + timedelta(days=days)).orderBy("profile_id").collect()
        assert ann["segment"] == name
        expected = None if due is None else np.ceil(due * 96) / 96
        told = ann["segment_due_at"]
        assert (told and (told.replace(tzinfo=UTC) - REFERENCE) / timedelta(days=1)) == pytest.approx(expected)


def test_an_input_that_did_not_vary_at_training_says_nothing(spark: SparkSession) -> None:
    constant = SegmentModel.from_parameters({**MODEL.to_parameters(), "deviations": [1.0, 1.0, 0.0]}, "4")
    frame = rfm(spark, ("ann", 0, 1, "1000000"))
    assert assigned(constant, frame).collect()[0]["segment"] == "fresh"


def test_parameters_survive_the_registry() -> None:
    assert SegmentModel.from_parameters(MODEL.to_parameters(), "3") == MODEL


@pytest.mark.parametrize("column", ["last_order_at", "frequency", "monetary"])
def test_quintiles_without_ties_are_those_of_pandas_qcut(spark: SparkSession, column: str) -> None:
    values = np.random.default_rng(5).permutation(103) + 1
    frame = rfm(spark, *((f"p{i:03}", -float(value), int(value), str(value)) for i, value in enumerate(values)))
    numbers = {"last_order_at": [micros(-float(value)) for value in values]}.get(column, values.astype(float))
    cuts = tuple(float(cut) for cut in np.quantile(numbers, (0.2, 0.4, 0.6, 0.8)))
    model = SegmentModel.from_parameters({**MODEL.to_parameters(), "cuts": {**MODEL.cuts, column: cuts}}, "1")
    score = {"last_order_at": "r_score", "frequency": "f_score", "monetary": "m_score"}[column]
    found = [row[score] for row in assigned(model, frame).orderBy("profile_id").collect()]
    assert found == (pd.qcut(pd.Series(numbers), 5, labels=False) + 1).tolist()

"""Quintile scores have pandas.qcut's bins; a segment is a function of the row and the model."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

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


def said(frame: DataFrame) -> dict[str, tuple[int, int, int, str]]:
    rows = MODEL.assign(frame).collect()
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


def test_assign_keeps_the_rows_and_says_who_spoke(spark: SparkSession) -> None:
    frame = rfm(spark, ("ann", -5, 9, "99"))
    assert MODEL.assign(frame).columns == [*frame.columns, "r_score", "f_score", "m_score", "segment", "model_version"]
    assert [type_ for name, type_ in MODEL.assign(frame).dtypes if name.endswith("_score")] == ["int"] * 3
    assert MODEL.assign(frame).collect()[0]["model_version"] == "3"


def test_an_input_that_did_not_vary_at_training_says_nothing(spark: SparkSession) -> None:
    constant = SegmentModel.from_parameters({**MODEL.to_parameters(), "deviations": [1.0, 1.0, 0.0]}, "4")
    frame = rfm(spark, ("ann", 0, 1, "1000000"))
    assert constant.assign(frame).collect()[0]["segment"] == "fresh"


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
    found = [row[score] for row in model.assign(frame).orderBy("profile_id").collect()]
    assert found == (pd.qcut(pd.Series(numbers), 5, labels=False) + 1).tolist()

"""A scores model is arithmetic on the features, and refuses features it was not trained on."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.score_model import BOOSTED, LOGISTIC, ScoreModel

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def model(**changes: Any) -> ScoreModel:
    plain: dict[str, Any] = {"version": "7", "kind": LOGISTIC, "horizon_days": 30, "slope": 1.0, "offset": 0.0}
    return ScoreModel(**{**plain, **changes})


def rows(spark: SparkSession, *profiles: tuple[str, dict[str, float]]) -> DataFrame:
    schema = ", ".join(["profile_id string", "as_of timestamp", *(f"{name} double" for name in FEATURES)])
    return spark.createDataFrame(
        [(who, AS_OF, *(given.get(name, 0.0) for name in FEATURES)) for who, given in profiles], schema
    )


def propensity(told: ScoreModel, known: DataFrame) -> dict[str, float]:
    return {row["profile_id"]: row["value"] for row in known.select("profile_id", told.value.alias("value")).collect()}


def test_a_logistic_score_is_the_calibrated_sigmoid_of_weighted_logs(spark: SparkSession) -> None:
    told = model(intercept=-1.0, weights={"views_7d": 0.5, "frequency": 2.0}, slope=0.8, offset=0.1)
    found = propensity(told, rows(spark, ("ann", {"views_7d": 3.0, "frequency": 1.0}), ("bob", {})))
    logit = -1.0 + 0.5 * math.log(4) + 2.0 * math.log(2)
    expected = {"ann": 1 / (1 + math.exp(-(0.8 * logit + 0.1))), "bob": 1 / (1 + math.exp(0.8 - 0.1))}
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_boosted_score_goes_left_up_to_the_threshold(spark: SparkSession) -> None:
    tree = {"feature": "frequency", "threshold": 1.5, "left": {"leaf": -0.25}, "right": {"leaf": 1e-05}}
    told = model(kind=BOOSTED, trees=[{"weight": 1.0, "root": tree}, {"weight": 0.5, "root": {"leaf": -1.0}}])
    found = propensity(told, rows(spark, ("at", {"frequency": 1.5}), ("over", {"frequency": 2.0})))
    expected = {"at": 1 / (1 + math.exp(2 * 0.25 + 1)), "over": 1 / (1 + math.exp(-2e-05 + 1))}
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_model_of_other_features_is_refused() -> None:
    with pytest.raises(ModelError, match="trained on other features"):
        model(features=FEATURES[:-1])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="'forest'"):
        model(kind="forest")


def test_parameters_survive_the_registry() -> None:
    told = model(weights={"views_7d": 0.5})
    assert ScoreModel.from_parameters(told.to_parameters(), "7") == told

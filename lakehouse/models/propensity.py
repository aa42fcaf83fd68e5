"""The two contenders for the purchase score, fitted by MLlib and read out as plain values.

Logistic regression sees ln(1 + feature), scaled: counts and money have long tails. Trees see features as they are.
"""

from dataclasses import dataclass
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import (
    GBTClassificationModel,
    GBTClassifier,
    LogisticRegression,
    LogisticRegressionModel,
)
from pyspark.ml.feature import SQLTransformer, StandardScaler, StandardScalerModel, VectorAssembler
from pyspark.sql import DataFrame

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.score_model import BOOSTED, LOGISTIC, ScoreModel
from lakehouse.models.trees import boosted_trees

REGULARISATION = 0.001  # L2; windows of one measure overlap, so their weights need holding
TREES = 20
DEPTH = 3  # the stream plans every node in every batch
LEARNING_RATE = 0.2
LEAST_IN_LEAF = 20  # rows


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A fitted pipeline, and the same model as plain values, not calibrated yet."""

    pipeline: PipelineModel
    model: ScoreModel


def fit_logistic(rows: DataFrame, horizon_days: int) -> Contender:
    """Example rows (FEATURES, label) -> ridge logistic regression."""
    logs = ", ".join(f"log1p(greatest(0D, {name})) AS log_{name}" for name in FEATURES)
    stages: list[Any] = [
        SQLTransformer(statement=f"SELECT *, {logs} FROM __THIS__"),
        VectorAssembler(inputCols=[f"log_{name}" for name in FEATURES], outputCol="logs"),
        StandardScaler(inputCol="logs", outputCol="scaled", withMean=True, withStd=True),
        LogisticRegression(featuresCol="scaled", regParam=REGULARISATION, maxIter=30),
    ]
    pipeline = Pipeline(stages=stages).fit(rows)
    scaler, regression = pipeline.stages[-2:]
    assert isinstance(scaler, StandardScalerModel)
    assert isinstance(regression, LogisticRegressionModel)
    means, deviations = scaler.mean.toArray(), scaler.std.toArray()
    slopes = {
        name: float(weight / deviation) if deviation > 0 else 0.0  # MLlib scales a constant to 0
        for name, weight, deviation in zip(FEATURES, regression.coefficients.toArray(), deviations, strict=True)
    }
    shift = sum(slope * float(mean) for slope, mean in zip(slopes.values(), means, strict=True))
    model = ScoreModel(
        version="",
        kind=LOGISTIC,
        horizon_days=horizon_days,
        slope=1.0,
        offset=0.0,
        intercept=float(regression.intercept) - shift,
        weights=slopes,
    )
    return Contender(pipeline=pipeline, model=model)


def fit_boosted(rows: DataFrame, horizon_days: int, seed: int) -> Contender:
    """Example rows (FEATURES, label) -> gradient-boosted trees on log-loss."""
    stages: list[Any] = [
        VectorAssembler(inputCols=list(FEATURES), outputCol="plain"),
        GBTClassifier(
            featuresCol="plain",
            maxIter=TREES,
            maxDepth=DEPTH,
            stepSize=LEARNING_RATE,
            minInstancesPerNode=LEAST_IN_LEAF,
            seed=seed,
        ),
    ]
    pipeline = Pipeline(stages=stages).fit(rows)
    boosted = pipeline.stages[-1]
    assert isinstance(boosted, GBTClassificationModel)
    model = ScoreModel(
        version="",
        kind=BOOSTED,
        horizon_days=horizon_days,
        slope=1.0,
        offset=0.0,
        trees=boosted_trees(boosted, FEATURES),
    )
    return Contender(pipeline=pipeline, model=model)

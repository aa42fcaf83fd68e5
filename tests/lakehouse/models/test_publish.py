"""A published model is whole before it is champion, and says what it was made from."""

from dataclasses import replace

import mlflow.spark
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import Trained, feature_schema, publish, snapshot
from lakehouse.models.registry import CHAMPION, Champions, client, tracking_uri
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.gold.rfm import GOLD_RFM


@pytest.fixture
def trained() -> Trained:
    pipeline = PipelineModel(stages=[VectorAssembler(inputCols=list(FEATURES), outputCol="plain")])
    model = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.5, weights={"views_7d": 1.0})
    return Trained(
        name=PURCHASE_PROPENSITY.model,
        pipeline=pipeline,
        parameters=model.to_parameters(),
        inputs=dict.fromkeys(FEATURES, "double"),
        metrics={"test_brier": 0.125},
        settings={"seed": 7, "kind": "logistic"},
        snapshot={"silver.orders": 4},
    )


def test_a_published_model_is_champion_with_its_provenance_and_loads_as_a_pipeline(
    config: Config, trained: Trained, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(config, trained)
    champions = Champions(config)
    champions.refresh()
    assert champions.versions == {PURCHASE_PROPENSITY.model: version}
    assert champions.scores["purchase_propensity"].to_parameters() == trained.parameters

    registry = client(tracking_uri(config))
    run = registry.get_run(registry.get_model_version_by_alias(PURCHASE_PROPENSITY.model, CHAMPION).run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"test_brier": 0.125}
    assert run.data.params == {"seed": "7", "kind": "logistic"}
    assert run.data.tags["delta_version.silver.orders"] == "4"
    assert run.data.tags["feature_schema"] == feature_schema(FEATURES)
    assert run.data.tags["code_version"]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(config))
    loaded = mlflow.spark.load_model(f"models:/{PURCHASE_PROPENSITY.model}@{CHAMPION}")
    rows = spark.range(3).select(*(F.col("id").cast("double").alias(name) for name in FEATURES))
    assert loaded.transform(rows).where("plain IS NULL").count() == 0


def test_a_model_that_cannot_be_stored_leaves_the_champion_alone(config: Config, trained: Trained) -> None:
    version = publish(config, trained)
    with pytest.raises(ValueError, match="JSON"):
        publish(config, replace(trained, parameters={"slope": float("nan")}))
    champions = Champions(config)
    champions.refresh()
    assert champions.versions == {PURCHASE_PROPENSITY.model: version}


def test_a_snapshot_is_the_table_at_the_version_it_names(lake: Lake) -> None:
    lake.create(GOLD_RFM)
    frame, version = snapshot(lake, GOLD_RFM)
    row = ("ann", "2026-01-01", "2026-01-01", 1, 10, None, None, None, "2026-01-01", None)
    lake.overwrite(lake.spark.createDataFrame([row], ", ".join(f"{n} string" for n in GOLD_RFM.column_names)), GOLD_RFM)
    later, next_version = snapshot(lake, GOLD_RFM)
    assert (frame.count(), later.count()) == (0, 1)
    assert next_version == version + 1


def test_a_table_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(ModelError, match=r"gold\.rfm: no table"):
        snapshot(lake, GOLD_RFM)

"""The stream follows the alias: forward, back, and past whatever is missing or broken."""

import dataclasses
import logging
from typing import Any

import pytest

from lakehouse.config import Config, LakeConfig, MlflowConfig
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.publish import open_registry
from lakehouse.models.registry import CHAMPION, PARAMETERS, Champions, local_folder, set_champion, tracking_uri
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY

SCORES = PURCHASE_PROPENSITY.model


def register(config: Config, parameters: dict[str, Any]) -> str:
    """A version of `scores` that is parameters only, made champion."""
    mlflow = open_registry(config)
    folder = local_folder(config)
    assert folder is not None
    found = mlflow.get_experiment_by_name("test")
    where = (folder / "artifacts").as_uri()
    experiment = found.experiment_id if found else mlflow.create_experiment("test", artifact_location=where)
    run = mlflow.create_run(experiment)
    mlflow.log_dict(run.info.run_id, parameters, PARAMETERS)
    if not mlflow.search_registered_models():
        mlflow.create_registered_model(SCORES)
    version = mlflow.create_model_version(SCORES, run.info.artifact_uri, run_id=run.info.run_id).version
    mlflow.set_registered_model_alias(SCORES, CHAMPION, version)
    return str(version)


def parameters(offset: float) -> dict[str, Any]:
    model = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=offset, features=FEATURES)
    return model.to_parameters()


def test_without_a_registry_there_is_no_champion_and_none_is_made(config: Config) -> None:
    champions = Champions(config)
    assert champions.refresh() is False
    assert (champions.segments, champions.scores, champions.versions) == (None, {}, {})
    folder = local_folder(config)
    assert folder is not None
    assert not folder.exists()


def test_the_alias_is_followed_forward_and_back_without_restart(config: Config) -> None:
    champions = Champions(config)
    first = register(config, parameters(offset=1.0))
    assert champions.refresh() is True
    assert (champions.scores["purchase_propensity"].offset, champions.versions) == (1.0, {SCORES: first})
    assert champions.refresh() is False

    second = register(config, parameters(offset=2.0))
    assert champions.refresh() is True
    assert (champions.scores["purchase_propensity"].offset, champions.versions) == (2.0, {SCORES: second})

    set_champion(config, SCORES, first)
    assert champions.refresh() is True
    assert (champions.scores["purchase_propensity"].offset, champions.scores["purchase_propensity"].version) == (
        1.0,
        first,
    )

    assert SCORES not in champions.absent
    open_registry(config).delete_registered_model_alias(SCORES, CHAMPION)
    assert champions.refresh() is True
    assert champions.scores == {}
    assert SCORES in champions.absent


def test_a_champion_that_cannot_be_read_leaves_the_one_before_and_warns_once(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    champions = Champions(config)
    good = register(config, parameters(offset=1.0))
    champions.refresh()
    broken = register(config, {**parameters(offset=2.0), "features": ["something_else"]})
    with caplog.at_level(logging.WARNING, logger="stitchlake.models"):
        assert [champions.refresh() for _ in range(3)] == [False] * 3
    assert champions.versions == {SCORES: good}
    assert [record.getMessage().count(f"version {broken} cannot be used") for record in caplog.records] == [1]

    mended = register(config, parameters(offset=3.0))
    assert champions.refresh() is True
    assert champions.versions == {SCORES: mended}


def test_a_registry_that_does_not_answer_says_of_no_model_that_it_is_absent(config: Config) -> None:
    register(config, parameters(offset=1.0))
    (local_folder(config) / "mlflow.db").write_bytes(b"no database")  # type: ignore[operator] # it is a local lake
    champions = Champions(config)
    assert champions.refresh() is False
    assert (champions.scores, champions.absent) == ({}, set())


def test_promoting_what_does_not_exist_names_it(config: Config) -> None:
    register(config, parameters(offset=1.0))
    with pytest.raises(ModelError, match="no version '99' of model 'scores'"):
        set_champion(config, SCORES, "99")


def test_the_registry_of_a_local_lake_lies_under_it(config: Config) -> None:
    assert tracking_uri(config) == f"sqlite:///{config.lake.root}/_mlflow/mlflow.db"
    by_uri = dataclasses.replace(config, lake=LakeConfig(root=f"file://{config.lake.root}", keep_hours=1))
    assert tracking_uri(by_uri) == tracking_uri(config)


def test_a_remote_lake_needs_a_tracking_uri(config: Config) -> None:
    remote = dataclasses.replace(config, lake=LakeConfig(root="s3a://bucket/lake", keep_hours=1))
    with pytest.raises(ModelError, match="STITCHLAKE__MLFLOW__TRACKING_URI"):
        Champions(remote)
    named = dataclasses.replace(remote, mlflow=MlflowConfig(tracking_uri="http://127.0.0.1:5000"))
    assert tracking_uri(named) == "http://127.0.0.1:5000"

"""The lake's own log: who was given what by chance, what came of it, and what was known of them the day before."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pyspark.sql import functions as F

from lakehouse.errors import ModelError, SourceError
from lakehouse.experiments.definitions import Experiment
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import CHAMPION, client, tracking_uri
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.decisions import SILVER_DECISION_LOG
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_MAP
from lakehouse.targeting.policy import TargetingPolicy
from lakehouse.training.uplift import log_of_decisions, log_of_experiment, publish_policy
from lakehouse.uplift.experiment_log import ExperimentLog
from lakehouse.uplift.study import study
from tests.rows import completed

SHOWN = datetime(2026, 3, 10, 12, tzinfo=UTC)
PEOPLE = 700
EXPERIMENT = Experiment(
    name="mail",
    owner="data",
    layer="offers",
    buckets=(0, 10_000),
    arms=({"name": "control", "weight": 1}, {"name": "mail", "weight": 3}),  # type: ignore[arg-type] # read as from YAML
    baseline="control",
    metrics=("revenue",),
    window_days=7,
)


def is_keen(person: int) -> bool:
    """Who looked at much before: a mail earns of them, and costs with the others."""
    return person % 2 == 0


def messages() -> list[dict[str, Any]]:
    """Of every person: an exposure to the experiment, a decision by chance, and what came of both; of another, one person told two arms."""
    rng, rows = np.random.default_rng(4), []
    for person in range(PEOPLE):
        arm, offer = ("mail" if rng.random() < 0.75 else "control"), ("big" if rng.random() < 0.5 else "small")
        offer = offer if person % 10 else "big"
        one = {"decision_id": f"d{person}", "unit": f"p{person:04}", "action": offer}
        told = {"kind": "offer", "is_forced": False, "candidates": ["big", "small"] if person % 10 else ["big"]}
        chance = 0.5 if person % 10 else 1.0
        rows += [
            {**one, "kind": "decision", "propensity": chance, "context": json.dumps(told), "at": SHOWN},
            {**one, "kind": "exposure", "experiment": "mail", "arm": arm, "at": SHOWN + timedelta(hours=1)},
        ]
        earned = 5.0 + (2.0 if is_keen(person) else -2.0) * (arm == "mail") + rng.normal()
        rows.append({**one, "kind": "outcome", "metric": "revenue", "value": earned, "at": SHOWN + timedelta(days=1)})
        rows.append({**one, "kind": "outcome", "metric": "revenue", "value": 900.0, "at": SHOWN + timedelta(days=90)})
    one = {"decision_id": "d0", "unit": "p0000", "action": "big", "kind": "exposure", "experiment": "broken"}
    return [*rows, *({**one, "arm": arm, "at": SHOWN + timedelta(hours=2)} for arm in ("mail", "control"))]


@pytest.fixture(scope="module")
def logged(new_lake: Callable[[str], Lake]) -> Lake:
    lake = new_lake("uplift")
    for table in (
        SILVER_DECISION_LOG,
        SILVER_IDENTITY_EDGES,
        SILVER_IDENTITY_MAP,
        SILVER_IDENTITY_HISTORY,
        GOLD_ACTIVATION,
        SILVER_ACTIVITY_DAILY,
        SILVER_ORDERS,
    ):
        lake.create(table)
    schema = (
        "log_id string, kind string, decision_id string, unit string, experiment string, arm string, metric string, value double, "
        "propensity double, action string, policy_version string, context string, occurred_at timestamp, logged_at timestamp"
    )
    names = [part.split()[0] for part in schema.split(", ")]
    rows = [
        tuple(
            (
                {"log_id": f"l{place}", "policy_version": "v", "occurred_at": row["at"], "logged_at": row["at"]} | row
            ).get(name)
            for name in names
        )
        for place, row in enumerate(messages())
    ]
    lake.overwrite(lake.spark.createDataFrame(rows, schema), SILVER_DECISION_LOG)
    days = [
        (f"p{person:04}", (SHOWN + timedelta(days=day)).date(), views, Decimal("0.00"), SHOWN + timedelta(days=day))
        for person in range(PEOPLE)
        for day, views in ((-5, 9 if is_keen(person) else 1), (0, 77))
    ]
    seen = lake.spark.createDataFrame(
        days, "actor_id string, activity_date date, view_count int, revenue decimal(18,2), last_at timestamp"
    ).withColumns({"event_count": F.lit(1), "first_at": F.col("last_at")})
    lake.overwrite(completed(seen, SILVER_ACTIVITY_DAILY), SILVER_ACTIVITY_DAILY)
    who = lake.spark.createDataFrame([(f"p{person:04}",) for person in range(PEOPLE)], "actor_id string")
    same = {name: F.col("actor_id") for name in ("profile_id", "component_id")}
    stamps = {name: F.lit(SHOWN) for name in ("first_seen_at", "resolved_at")}
    lake.overwrite(completed(who.withColumns({**same, **stamps}), SILVER_IDENTITY_MAP), SILVER_IDENTITY_MAP)
    refused = lake.spark.createDataFrame([("p0001", False)], "profile_id string, consent_personalization boolean")
    lake.overwrite(completed(refused, GOLD_ACTIVATION), GOLD_ACTIVATION)
    return lake


@pytest.fixture(scope="module")
def told(logged: Lake) -> tuple[ExperimentLog, Mapping[str, int]]:
    return log_of_experiment(logged, EXPERIMENT, "revenue")


def test_an_experiment_is_one_row_per_person_with_what_was_known_the_day_before(
    told: tuple[ExperimentLog, Mapping[str, int]],
) -> None:
    log, versions = told
    assert len(log) == PEOPLE - 1
    assert dict(log.left_out) == {"of people who are not to be learned from": 1}
    assert "p0001" not in set(log.unit)
    np.testing.assert_allclose(log.propensity, np.where(log.arm == "mail", 0.75, 0.25))
    assert log.reward.max() < 100  # what came after the window does not count
    assert list(log.features.columns) == list(FEATURES)
    keen = np.array([is_keen(int(unit[1:])) for unit in log.unit])
    np.testing.assert_array_equal(log.features["views_30d"], np.where(keen, 9.0, 1.0))  # of the day itself nothing
    of_identity = {"silver.identity_map", "silver.identity_edges", "silver.identity_history"}
    read = {"silver.decision_log", "silver.activity_daily", "silver.orders", "gold.activation", *of_identity}
    assert set(versions) == read


def test_decisions_among_the_commonest_candidates_are_those_compared(logged: Lake) -> None:
    log, _ = log_of_decisions(logged, "revenue")
    assert len(log) == PEOPLE * 9 // 10 - 1
    assert dict(log.left_out) == {
        "among other candidates": PEOPLE // 10,
        "of people who are not to be learned from": 1,
    }
    assert set(log.arm) == {"big", "small"}
    assert set(log.propensity) == {0.5}


def test_what_is_not_there_is_told(logged: Lake) -> None:
    with pytest.raises(SourceError, match=r"no outcome 'visits' in silver\.decision_log, there are: revenue"):
        log_of_experiment(logged, EXPERIMENT, "visits")
    with pytest.raises(SourceError, match="nobody was exposed to 'other' yet"):
        log_of_experiment(logged, EXPERIMENT.model_copy(update={"name": "other"}), "revenue")


def test_whoever_was_told_two_arms_blocks(logged: Lake) -> None:
    with pytest.raises(SourceError, match="1 persons were told two arms of 'broken'"):
        log_of_experiment(logged, EXPERIMENT.model_copy(update={"name": "broken"}), "revenue")


def test_only_a_policy_that_is_offered_is_champion(logged: Lake, told: tuple[ExperimentLog, Mapping[str, int]]) -> None:
    log, versions = told
    found = study(log, reward="revenue", baseline="control")
    assert found.is_offered
    mlflow = client(tracking_uri(logged.config))
    weak = dataclasses.replace(found, is_offered=False)
    assert publish_policy(logged.config, weak, "uplift_mail", versions) == "1"
    with pytest.raises(MlflowException):
        mlflow.get_model_version_by_alias("uplift_mail", CHAMPION)
    assert publish_policy(logged.config, found, "uplift_mail", versions) == "2"
    champion = mlflow.get_model_version_by_alias("uplift_mail", CHAMPION)
    assert str(champion.version) == "2"
    parameters = json.loads(_parameters(mlflow, champion.run_id))
    given = TargetingPolicy.from_parameters(parameters).choose(log.features)
    keen = np.array([is_keen(int(unit[1:])) for unit in log.unit])
    assert (given == np.where(keen, "mail", "control")).mean() > 0.95
    strange = study(
        dataclasses.replace(log, features=log.features.rename(columns={"views_30d": "looks"})), reward="revenue"
    )
    with pytest.raises(ModelError, match=r"learned from other features, got \['looks'\]"):
        publish_policy(logged.config, strange, "uplift_decisions", versions)
    assert not mlflow.search_registered_models(filter_string="name = 'uplift_decisions'")
    with pytest.raises(ValueError, match="nothing to publish"):
        publish_policy(logged.config, dataclasses.replace(found, policy=None), "uplift_mail", versions)


def _parameters(mlflow: MlflowClient, run_id: str) -> str:
    with open(mlflow.download_artifacts(run_id, "parameters.json"), encoding="utf-8") as file:
        return file.read()

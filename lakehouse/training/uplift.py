"""Uplift over the lake's own log: who was given what by chance, what came of it, and what was known of them the day before."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.errors import SourceError
from lakehouse.experiments.definitions import Experiment
from lakehouse.experiments.lake_readout import decisions_by_person, told_log
from lakehouse.experiments.new_policies import weighable
from lakehouse.experiments.result_rows import Measured, with_outcomes
from lakehouse.features.point_in_time import FEATURES, end_of_day, features
from lakehouse.lake.delta import Lake
from lakehouse.models.policy_model import PolicyModel
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.profiles.declared_scores import TARGETED_OFFER
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.targeting.encoding import Category
from lakehouse.training.consenting import consenting
from lakehouse.uplift.experiment_log import ExperimentLog
from lakehouse.uplift.study import Study

ROWS = ["unit", "arm", "reward", "propensity", "occurred_at"]


class _Snapshots:
    """Tables of one lake, each as it was when it was first asked for; `versions`: of those that were."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.versions: dict[str, int] = {}
        self._frames: dict[Table, DataFrame] = {}

    def read(self, table: Table) -> DataFrame:
        if table not in self._frames:
            self._frames[table], self.versions[table.name] = snapshot(self.lake, table)
        return self._frames[table]


def log_of_experiment(lake: Lake, experiment: Experiment, metric: str) -> tuple[ExperimentLog, Mapping[str, int]]:
    """Persons in one arm of the experiment, from their first exposure on, and the Delta versions they were read from.

    Raises:
        SourceError: nobody was exposed, no outcome has that name, or somebody was told two arms.
    """
    tables = _Snapshots(lake)
    log, by_experiment = told_log(tables.read, {experiment.name: experiment})
    persons = by_experiment.get(experiment.name)
    if persons is None:
        raise SourceError(f"--experiment: nobody was exposed to '{experiment.name}' yet. Run again when somebody was")
    if persons.broken:
        raise SourceError(
            f"--experiment: {len(persons.broken)} persons were told two arms of '{experiment.name}', expected one each. "
            "Read it out with batch/experiments.py"
        )
    known = sorted(log.loc[log["kind"] == "outcome", "metric"].dropna().unique())
    if metric not in known:
        raise SourceError(
            f"--reward: no outcome '{metric}' in silver.decision_log, there are: {', '.join(known) or 'none'}"
        )
    of_metric = experiment.model_copy(update={"metrics": (metric,), "guardrails": {}})
    units = with_outcomes(persons.first, log, of_metric, Measured())
    weights = {arm.name: arm.weight for arm in experiment.arms}
    rows = pd.DataFrame(
        {
            "unit": units["unit"],
            "arm": units["arm"],
            "reward": units[metric],
            "propensity": units["arm"].map(weights).astype(float) / sum(weights.values()),
            "occurred_at": units["unit"].map(persons.first.set_index("unit")["occurred_at"]),
        }
    )
    left_out = {
        "of persons in several arms": len(persons.merged),
        "of an arm that is not declared": int(rows["propensity"].isna().sum()),
    }
    return _with_features(tables, rows[rows["propensity"].notna()], left_out), tables.versions


def log_of_decisions(lake: Lake, metric: str) -> tuple[ExperimentLog, Mapping[str, int]]:
    """Offers the service chose by chance from its commonest candidates, and the Delta versions they were read from.

    An arm's effect on people whom it could not be given is not known, so decisions among other candidates are left out.

    Raises:
        SourceError: no outcome of that name, or no decision by chance.
    """
    tables = _Snapshots(lake)
    log = decisions_by_person(tables.read).toPandas()
    decisions, left_out = weighable(log, metric=metric, window_days=lake.config.serving.exposure_days)
    candidates = Counter(frozenset(decision.candidates) for decision in decisions)
    commonest = max(candidates, key=lambda names: (candidates[names], sorted(names)))
    same = [decision for decision in decisions if frozenset(decision.candidates) == commonest]
    rows = pd.DataFrame(
        [(row.unit, row.action, row.reward, row.propensity, row.occurred_at) for row in same], columns=ROWS
    )
    others = {"among other candidates": len(decisions) - len(same)}
    return _with_features(tables, rows, {**left_out, **others}), tables.versions


def _with_features(tables: _Snapshots, rows: pd.DataFrame, left_out: Mapping[str, int]) -> ExperimentLog:
    """Those who may be learned from, with FEATURES as of the end of the day before: what the decision itself led to is not among them.

    nan = nothing was known.
    """
    willing = rows[rows["unit"].isin(_willing(tables, rows["unit"]))]
    days = [at.date() - timedelta(days=1) for at in willing["occurred_at"]]
    keyed = willing.assign(day=[day.isoformat() for day in days])
    stamps = sorted({(unit, end_of_day(day)) for unit, day in zip(willing["unit"], days, strict=True)})
    stamped = tables.lake.spark.createDataFrame(stamps, "profile_id string, as_of timestamp")
    daily, orders = tables.read(SILVER_ACTIVITY_DAILY), tables.read(SILVER_ORDERS)
    known = _known(daily, orders, tables.read(SILVER_IDENTITY_MAP), stamped).toPandas()
    joined = keyed.merge(known, left_on=["unit", "day"], right_on=["profile_id", "day"], how="left")
    reasons = {**left_out, "of people who are not to be learned from": len(rows) - len(willing)}
    return ExperimentLog(
        unit=joined["unit"].to_numpy(dtype=np.str_),
        arm=joined["arm"].to_numpy(dtype=np.str_),
        reward=joined["reward"].to_numpy(dtype=np.float64),
        propensity=joined["propensity"].to_numpy(dtype=np.float64),
        features=joined[list(FEATURES)].astype(float),
        left_out={reason: count for reason, count in reasons.items() if count},
    )


def _willing(tables: _Snapshots, units: pd.Series) -> set[str]:
    config = tables.lake.config
    people = tables.lake.spark.createDataFrame([(unit,) for unit in sorted(set(units))], "profile_id string")
    rows = consenting(people, tables.read(GOLD_ACTIVATION), config.training.uplift, config).collect()
    return {row["profile_id"] for row in rows}


def _known(daily: DataFrame, orders: DataFrame, identity_map: DataFrame, stamped: DataFrame) -> DataFrame:
    members = identity_map.join(stamped, on="profile_id", how="left_semi").select("actor_id", "profile_id")
    known = features(profile_activity(daily, members), profile_orders(orders, members), stamped)
    return known.select("profile_id", F.to_date("as_of").cast("string").alias("day"), *FEATURES)


def publish_policy(config: Config, study: Study, name: str, versions: Mapping[str, int]) -> str:
    """Register the study's policy as model `name`; champion only if it is offered. The version given to it.

    Raises:
        ModelError: the lake is remote and no tracking URI is set; or the policy would give gold.scores its targeted_offer, and was learned from
            other features than profiles have.
        ValueError: the study has no policy.
    """
    if study.policy is None:
        raise ValueError("uplift: a study without a policy has nothing to publish")
    if name == TARGETED_OFFER.model:
        PolicyModel(version="to be published", policy=study.policy)  # what the stream could not read is not published
    figures = {f"value_{place}": arm.value.value for place, arm in enumerate(study.arms)}
    figures |= {"gain_over_best_low": study.gain_low or 0.0, "qini": study.curve.qini if study.curve else 0.0}
    trained = Trained(
        name=name,
        parameters=study.policy.to_parameters(),
        metrics={metric: value for metric, value in figures.items() if math.isfinite(value)},
        settings={
            "reward": study.reward,
            "alpha": study.alpha,
            "decisions": study.rows,
            "arms": ", ".join(study.policy.arms),
            "best_blanket": study.best,
            "verdict": study.verdict,
        },
        inputs={
            column.name: "string" if isinstance(column, Category) else "double"
            for column in study.policy.encoding.columns
        },
        snapshot=versions,
    )
    return publish(config, trained, is_champion=study.is_offered)

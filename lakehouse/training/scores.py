"""Purchase propensity: will a profile order within scores.horizon_days. The champion of `scores`.

Reads silver.activity_daily, silver.orders and silver.identity_map, of those who may be learned from (consenting.py). Logistic
regression and gradient-boosted trees (MLlib) on point-in-time features at past cut-offs, split by time with a horizon
between the slices (`lakehouse/models/examples.py`). Both are calibrated by Platt scaling on the validation slice; the lower log-loss
there, out of fold, becomes champion; the test slice only judges (`lakehouse/models/judgement.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import ScoresConfig
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models.examples import CutOffs, cut_offs, examples
from lakehouse.models.judgement import RECENCY, Judgement, Slice, judge
from lakehouse.models.propensity import Contender, fit_boosted, fit_logistic
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.score_model import BOOSTED, LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting

PROFILES = 20_000  # at most, by a hash of the id: a score of two dozen features learns no more from more
RECENCY_DAYS = (30.0, 90.0)  # edges of the recency baseline; never ordered is a bin of its own


@dataclass(frozen=True, kw_only=True)
class ScoresSummary:
    """What one training found. `judgement`: the choice and the figures on the test slice."""

    version: str
    model: ScoreModel
    cut_offs: CutOffs
    train_rows: int
    test_rows: int
    judgement: Judgement

    @property
    def _place(self) -> str:
        is_better = self.judgement.beats_baseline
        return (
            "is champion"
            if is_better
            else "is registered, and not champion, for it is not shown to be better than the baseline"
        )

    def table(self) -> str:
        """For a person: what was trained on which days, and how good it is."""
        cuts = self.cut_offs
        return "\n".join(
            [
                f"scores model {self.version} {self._place}: {self.model.kind} model of an order within "
                f"{self.model.horizon_days} days",
                f"cut-offs: train {', '.join(map(str, cuts.train))} ({self.train_rows:,} rows), validation "
                f"{cuts.validation}, test {cuts.test} ({self.test_rows:,} rows)",
                self.judgement.table(),
            ]
        )


def train(lake: Lake) -> ScoresSummary:
    """Train on the lake as it stands and register; champion only if it is shown to be better than the recency baseline.

    Raises:
        ModelError: too few profiles, too short a history, or nobody (or everybody) bought in some slice.
    """
    settings = lake.config.scores
    rows, cuts, versions = _examples(lake, settings)
    rows = rows.cache()
    try:
        train_rows = _check(rows, cuts, settings)
        fitted = rows.where(F.to_date("as_of").isin(*cuts.train))
        contenders = {
            LOGISTIC: fit_logistic(fitted, settings.horizon_days),
            BOOSTED: fit_boosted(fitted, settings.horizon_days, settings.seed),
        }
        validation, test = (_predict(rows, day, contenders) for day in (cuts.validation, cuts.test))
    finally:
        rows.unpersist()
    judgement = judge(validation, test, settings.seed)
    champion = contenders[judgement.champion]
    summary = ScoresSummary(
        version="",
        model=replace(champion.model, slope=judgement.slope, offset=judgement.offset),
        cut_offs=cuts,
        train_rows=train_rows,
        test_rows=len(test.label),
        judgement=judgement,
    )
    trained = _trained(summary, champion, settings, versions)
    version = publish(lake.config, trained, is_champion=judgement.beats_baseline)
    return replace(summary, version=version, model=replace(summary.model, version=version))


def _examples(lake: Lake, settings: ScoresConfig) -> tuple[DataFrame, CutOffs, dict[str, int]]:
    """Example rows of every cut-off the lake allows, and the Delta versions they were made from."""
    tables = (SILVER_ACTIVITY_DAILY, SILVER_ORDERS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION)
    (daily, orders, identity_map, activation), versions = zip(*(snapshot(lake, table) for table in tables), strict=True)
    seen = daily.agg(F.min("activity_date").alias("first"), F.max("activity_date").alias("newest")).first()
    if seen is None or seen["first"] is None:
        raise ModelError(
            f"train_scores: nothing to learn from, got an empty {SILVER_ACTIVITY_DAILY.name}, expected events. "
            "Run ./spark-submit.sh streaming"
        )
    cuts = cut_offs(seen["first"], seen["newest"], settings.horizon_days)
    known = identity_map.select("profile_id").distinct()
    willing = consenting(known, activation, lake.config.training.scores, lake.config)
    by_hash = willing.orderBy(F.xxhash64("profile_id"), "profile_id")
    profiles = by_hash.limit(PROFILES)
    members = identity_map.join(profiles, on="profile_id", how="left_semi").select("actor_id", "profile_id")
    rows = examples(
        profile_activity(daily, members),
        profile_orders(orders, members),
        profiles,
        cuts.all,
        settings.horizon_days,
    )
    # Sorted, so that the same rows give the same trees and resamples however the tables' files are cut.
    placed = rows.repartition("profile_id").sortWithinPartitions("profile_id", "as_of")
    return placed, cuts, {table.name: version for table, version in zip(tables, versions, strict=True)}


def _check(rows: DataFrame, cuts: CutOffs, settings: ScoresConfig) -> int:
    """Rows of the training slice.

    Raises:
        ModelError: fewer than scores.min_profiles of them, or one outcome only in some slice.
    """
    counts = rows.groupBy(F.to_date("as_of")).agg(F.count(F.lit(1)), F.sum("label")).collect()  # one row per cut-off
    found = {day: (profiles, buyers) for day, profiles, buyers in counts}
    slices: dict[str, tuple[date, ...]] = {
        "train": cuts.train,
        "validation": (cuts.validation,),
        "test": (cuts.test,),
    }
    totals = {name: [sum(found.get(day, (0, 0.0))[i] for day in days) for i in (0, 1)] for name, days in slices.items()}
    train_rows = int(totals["train"][0])
    if train_rows < settings.min_profiles:
        raise ModelError(
            f"train_scores: too few training rows, got {train_rows}, expected scores.min_profiles = "
            f"{settings.min_profiles} or more. Run again when more profiles have come in"
        )
    for name, (profiles, buyers) in totals.items():
        if not 0 < buyers < profiles:
            raise ModelError(
                f"train_scores: one outcome only in the {name} slice, got {buyers:.0f} buyers of {profiles} profiles, "
                "expected some and not all. Run again when more orders have come in"
            )
    return train_rows


def _predict(rows: DataFrame, day: date, contenders: Mapping[str, Contender]) -> Slice:
    """Predictions at one cut-off, by the expressions the stream will use; at most PROFILES rows."""
    since = sum(((F.col("days_since_order") > edge).cast("double") for edge in RECENCY_DAYS), F.lit(0.0))
    recency = F.when(F.col("has_ordered") == 0, F.lit(-1.0)).otherwise(since)
    logits = (contender.model.logit.alias(name) for name, contender in contenders.items())
    at_cut_off = rows.where(F.to_date("as_of") == F.lit(day)).orderBy("profile_id")
    collected = at_cut_off.select("label", recency.alias("recency"), *logits).toPandas()
    columns = {name: np.asarray(collected[name], dtype=np.float64) for name in collected.columns}
    by_name = {name: columns[name] for name in contenders}
    return Slice(logits=by_name, label=columns["label"], recency=columns["recency"])


def _trained(
    summary: ScoresSummary, champion: Contender, settings: ScoresConfig, versions: Mapping[str, int]
) -> Trained:
    judgement, kind = summary.judgement, summary.model.kind
    metrics = {f"test_{name}": found.value for name, found in judgement.metrics[kind].items()}
    metrics |= {f"test_{name}_recency_baseline": found.value for name, found in judgement.metrics[RECENCY].items()}
    metrics |= {f"validation_log_loss_{name}": value for name, value in judgement.validation_log_loss.items()}
    metrics |= {
        "test_calibration_error": judgement.calibration_error,
        "test_brier_gain": judgement.gain.value,
        "test_brier_gain_low": judgement.gain.low,
    }
    return Trained(
        name=PURCHASE_PROPENSITY.model,
        pipeline=champion.pipeline,
        parameters=summary.model.to_parameters(),
        inputs=dict.fromkeys(FEATURES, "double"),
        metrics=metrics,
        settings={
            "kind": kind,
            "seed": settings.seed,
            "horizon_days": settings.horizon_days,
            "train_rows": summary.train_rows,
            "cut_offs": ", ".join(map(str, summary.cut_offs.all)),
        },
        snapshot=versions,
    )

"""The scores that are learned from what people did: purchase propensity and churn risk. Each is a model of its own, and passes one gate.

Reads silver.activity_daily, silver.orders and silver.identity_map, of those who may be learned from (consenting.py). The candidates of
lakehouse/models/candidates.py learn from point-in-time features at past instants, over splits in time with an embargo between their slices
(lakehouse/models/examples.py). What is chosen and judged on each (lakehouse/models/judgement.py) is fitted once more on all cut-offs, registered as
challenger, and made champion if the gate (lakehouse/models/gate.py) lets it through. Its verdict is a row of ops.model_verdicts.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from lakehouse.config import ScoresConfig
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.lock import MODELS, writer
from lakehouse.models import aliases
from lakehouse.models.candidates import SETTINGS, Setting
from lakehouse.models.examples import CutOffs, Split
from lakehouse.models.gate import Challenger, Check, Reigning, Slice, Verdict, gate
from lakehouse.models.judgement import SELECTED, Judgement, Question, baselines, best_baseline, judge, refitted
from lakehouse.models.model_card import Provenance, card
from lakehouse.models.publish import Trained, code_version, feature_schema, publish
from lakehouse.models.reasons import moved
from lakehouse.models.registry import champion_file
from lakehouse.models.score_model import BUYERS, EVERYBODY, ScoreModel
from lakehouse.profiles.declared_scores import CHURN_RISK, PURCHASE_PROPENSITY, Score
from lakehouse.tables.models import OPS_MODEL_VERDICTS
from lakehouse.training.score_examples import Read, read_examples

JUDGED: Final = "judged.json"
ROWS_EXPLAINED: Final = 1_000

Reader = Callable[[int], Read]
"""Of a horizon in days, the examples."""
Further = Callable[[ScoreModel, Slice], Sequence[Check]]
"""Checks that a challenger must meet beside those of the gate, of the model as it was judged and the slice it is judged on."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A score and what is asked for it, of the configuration."""

    score: Score
    question: Callable[[ScoresConfig], Question]


PURCHASE = Target(
    score=PURCHASE_PROPENSITY, question=lambda told: Question(horizon_days=told.horizon_days, among=EVERYBODY)
)
CHURN = Target(
    score=CHURN_RISK,
    question=lambda told: Question(horizon_days=told.churn_horizon_days, among=BUYERS, is_absence=True),
)
TARGETS: Mapping[str, Target] = {target.score.column: target for target in (PURCHASE, CHURN)}


@dataclass(frozen=True, kw_only=True)
class ScoresSummary:
    """What one training found. judgement: the choice and its figures. verdict: the gate's. model: fitted again on all cut-offs."""

    score: str
    version: str
    model: ScoreModel
    cut_offs: CutOffs
    rows: int
    judgement: Judgement
    verdict: Verdict
    is_champion: bool

    @property
    def place(self) -> str:
        """What became of it, in words."""
        if self.is_champion:
            return "is champion"
        if self.verdict.passes:
            return (
                f"is challenger: it may be made champion by ./spark-submit.sh model promote {self._name} {self.version}"
            )
        return "is challenger, and not champion: the gate rejects it"

    @property
    def _name(self) -> str:
        return TARGETS[self.score].score.model

    def table(self) -> str:
        """For a person: what was trained on which days, how good it is, and what the gate says."""
        held_to = "the baseline" if self.verdict.champion is None else f"champion {self.verdict.champion}"
        return "\n".join(
            [
                f"{self._name} model {self.version} ({self.score}) {self.place}",
                f"{self.model.kind} model of the next {self.model.horizon_days} days, fitted on {self.rows:,} rows of cut-offs "
                f"{', '.join(map(str, self.cut_offs.refit))}; the figures below are of models that had not seen the slices they are of",
                *(
                    f"split: train {', '.join(map(str, one.train))}, validation {one.validation}, test {one.test}"
                    for one in self.cut_offs.splits
                ),
                self.judgement.table(),
                f"the gate, held to {held_to} on test slice {self.cut_offs.splits[0].test}:",
                self.verdict.table(),
            ]
        )


def reader(lake: Lake) -> Reader:
    """Reads the examples of each horizon once, for scores that are trained one after the other on the same lake."""
    return functools.cache(functools.partial(read_examples, lake))


def no_further_checks(_: ScoreModel, __: Slice) -> Sequence[Check]:
    """Of a training that asks the gate for nothing beside its own checks."""
    return ()


def train(
    lake: Lake,
    target: Target = PURCHASE,
    *,
    read_of: Reader | None = None,
    settings: Sequence[Setting] = SETTINGS,
    further: Further = no_further_checks,
) -> ScoresSummary:
    """Train on the lake as it stands and register; champion only if the gate lets it through. `read_of`: see `reader`. `further`: see Further.

    Raises:
        ModelError: too few profiles, too short a history, or one outcome only in some slice.
    """
    seed = lake.config.scores.seed
    question = target.question(lake.config.scores)
    read = (read_of or reader(lake))(question.horizon_days)
    check(read, question, lake.config.scores)
    judgement = judge(read.known, read.cut_offs.splits, question, seed=seed, settings=settings)
    newest = newest_slice(read, question)
    verdict = gate(
        Challenger(
            parameters=judgement.newest.model.to_parameters(),
            over_baseline=judgement.gain,
            learned_until=judgement.newest.learned_until,
            data_until=read.newest_day,
            leaking=read.leaking,
        ),
        reigning(lake, target.score.model),
        newest,
        lake.config.gate,
        seed=seed,
        also=further(judgement.newest.model, newest),
    )
    summary = ScoresSummary(
        score=target.score.column,
        version="",
        model=refitted(read.known, read.cut_offs.refit, judgement, question, seed=seed),
        cut_offs=read.cut_offs,
        rows=len(question.asked(read.known.at(*read.cut_offs.refit))),
        judgement=judgement,
        verdict=verdict,
        is_champion=verdict.passes and lake.config.gate.promotes,
    )
    version = publish(lake.config, _trained(lake, summary, target, read), is_champion=summary.is_champion)
    summary = replace(summary, version=version, model=replace(summary.model, version=version))
    _report(lake, summary, target, read)
    return summary


def newest_slice(read: Read, question: Question) -> Slice:
    """What champion and challenger are held to each other on."""
    split = read.cut_offs.splits[0]
    asked = question.asked(read.known)
    validation, test = asked.at(split.validation), asked.at(split.test)
    told, label = baselines(validation, question.label(validation), test), question.label(test)
    return Slice(
        known=test,
        label=label,
        baseline=told[best_baseline(told, label)],
        day=split.test,
        newest_day=read.newest_day,
    )


def reigning(lake: Lake, name: str) -> Reigning | None:
    """The champion, as it was judged; None where there is none, or one that reads other features or is of a release before.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    stored = champion_file(lake.config, name, JUDGED)
    if stored is None:
        return None
    version, _, content = stored
    try:
        told = json.loads(content)
        return Reigning(
            version=version,
            model=ScoreModel.from_parameters(told["parameters"], version),
            learned_until=date.fromisoformat(told["learned_until"]),
            trained_on=date.fromisoformat(told["data_until"]),
        )
    except (ModelError, ValueError, KeyError, TypeError):
        return None


def check(read: Read, question: Question, settings: ScoresConfig) -> None:
    """Raises ModelError: fewer than scores.min_profiles rows as time passes in the oldest train slice, or one outcome only in some slice."""
    known = question.asked(read.known)
    counted = known.where(~known.is_touch)
    least = min(len(counted.at(*split.train)) for split in read.cut_offs.splits)
    if least < settings.min_profiles:
        raise ModelError(
            f"train_scores: too few training rows, got {least}, expected scores.min_profiles = "
            f"{settings.min_profiles} or more. Run again when more profiles have come in"
        )
    for split in read.cut_offs.splits:
        for name, days in _slices(split).items():
            label = question.label(known.at(*days))
            if not 0 < label.sum() < len(label):
                raise ModelError(
                    f"train_scores: one outcome only in the {name} slice of {days[0]}, got {label.sum():.0f} of {len(label)} rows, "
                    "expected some and not all. Run again when more orders have come in"
                )


def _slices(split: Split) -> Mapping[str, tuple[date, ...]]:
    return {"train": split.train, "validation": (split.validation,), "test": (split.test,)}


def _trained(lake: Lake, summary: ScoresSummary, target: Target, read: Read) -> Trained:
    judgement, verdict, seed = summary.judgement, summary.verdict, lake.config.scores.seed
    made = Provenance(
        meaning=target.score.meaning[0].upper() + target.score.meaning[1:],
        versions=read.versions,
        code_version=code_version(),
        feature_schema=feature_schema(FEATURES),
        seed=seed,
        cut_offs=[str(day) for day in summary.cut_offs.refit],
        rows=summary.rows,
        purpose=lake.config.training.scores,
        importance=_importance(judgement, target.question(lake.config.scores), read),
    )
    judged = {
        "parameters": judgement.newest.model.to_parameters(),
        "learned_until": judgement.newest.learned_until.isoformat(),
        "data_until": read.newest_day.isoformat(),
    }
    return Trained(
        name=target.score.model,
        parameters=summary.model.to_parameters(),
        inputs=dict.fromkeys(FEATURES, "double"),
        metrics=_metrics(judgement),
        settings={
            "kind": summary.model.kind,
            "setting": str(judgement.newest.setting),
            "seed": seed,
            "horizon_days": summary.model.horizon_days,
            "rows": summary.rows,
            "splits": len(summary.cut_offs.splits),
            "cut_offs": ", ".join(map(str, summary.cut_offs.refit)),
            "data_until": read.newest_day.isoformat(),
        },
        snapshot=read.versions,
        files={
            JUDGED: json.dumps(judged, allow_nan=False).encode(),
            aliases.CARD: card(target.score.column, summary.model, judgement, verdict, made).encode(),
        },
        tags={
            aliases.GATE: aliases.PASSED if verdict.passes else aliases.REJECTED,
            aliases.WHY: "; ".join(verdict.reasons),
        },
    )


def _importance(judgement: Judgement, question: Question, read: Read) -> dict[str, float]:
    newest = judgement.newest
    rows = question.asked(read.known.at(newest.split.test)).rows[:ROWS_EXPLAINED]
    means = np.abs(moved(newest.model.scaled, rows, newest.model.usual)).mean(axis=0)
    return dict(zip(FEATURES, means.tolist(), strict=True))


def _metrics(judgement: Judgement) -> dict[str, float]:
    metrics = {f"test_{name}": found.value for name, found in judgement.metrics[SELECTED].items()}
    metrics |= {f"test_{name}_baseline": found.value for name, found in judgement.metrics[judgement.baseline].items()}
    losses = judgement.newest.validation_log_loss
    metrics |= {f"validation_log_loss_{name.replace('=', '_')}": value for name, value in losses.items()}
    return metrics | {
        "test_calibration_error": judgement.calibration_error,
        "test_brier_gain": judgement.gain.value,
        "test_brier_gain_low": judgement.gain.low,
    }


def _report(lake: Lake, summary: ScoresSummary, target: Target, read: Read) -> None:
    """The gate's verdict, as a row of ops.model_verdicts."""
    verdict = summary.verdict
    checks = [{"name": c.name, "is_met": bool(c.is_met), "said": c.said} for c in verdict.checks]
    row: dict[str, Any] = {
        "model": target.score.model,
        "version": summary.version,
        "champion": verdict.champion,
        "kind": summary.model.kind,
        "has_passed": verdict.passes,
        "is_champion": summary.is_champion,
        "reasons": "; ".join(verdict.reasons) or None,
        "checks": json.dumps(checks),
        "data_until": read.newest_day,
        "judged_at": datetime.now(UTC),
    }
    with writer(lake.config, lake.spark, part=MODELS):
        lake.create(OPS_MODEL_VERDICTS)
        lake.add(pa.Table.from_pylist([row], schema=arrow_schema(OPS_MODEL_VERDICTS)), OPS_MODEL_VERDICTS)

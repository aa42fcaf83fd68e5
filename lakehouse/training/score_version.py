"""What one training of a score found, and what is kept of it: a version in the registry, a row of ops.model_verdicts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.lock import MODELS, writer
from lakehouse.models import aliases
from lakehouse.models.examples import CutOffs
from lakehouse.models.gate import Verdict
from lakehouse.models.judgement import SELECTED, Judgement
from lakehouse.models.model_card import Provenance, card
from lakehouse.models.publish import Trained, code_version, feature_schema
from lakehouse.models.score_model import ScoreModel
from lakehouse.models.selection import Question
from lakehouse.tables.models import OPS_MODEL_VERDICTS
from lakehouse.training.score_examples import Read
from lakehouse.training.score_targets import TARGETS, Target

JUDGED: Final = "judged.json"  # the model as it was judged, for the next training to hold its own to
ROWS_EXPLAINED: Final = 1_000
SHOWN: Final = 6  # features in the summary; the card and the registry have them all


@dataclass(frozen=True, kw_only=True)
class ScoresSummary:
    """What one training found. judgement: the choice and its figures. verdict: the gate's. model: made as what was judged, of `CutOffs.refit`.

    importance: by feature, see `importance`.
    """

    score: str
    version: str
    model: ScoreModel
    cut_offs: CutOffs
    rows: int
    judgement: Judgement
    verdict: Verdict
    is_champion: bool
    importance: Mapping[str, float]

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
        most = sorted(self.importance.items(), key=lambda one: -one[1])[:SHOWN]
        goes_by = ", ".join(f"{name} {mean:.3f}" for name, mean in most)
        return "\n".join(
            [
                f"{self._name} model {self.version} ({self.score}) {self.place}",
                f"{self.model.kind} model of the next {self.model.horizon_days} days, fitted on {self.rows:,} rows of cut-offs "
                f"{', '.join(map(str, self.cut_offs.refit))}; the figures below are of models that had not seen the slices they are of",
                *(f"split: train {', '.join(map(str, one.train))}, test {one.test}" for one in self.cut_offs.splits),
                self.judgement.table(),
                f"it goes by (mean absolute Shapley value of the log-odds): {goes_by}",
                f"the gate, held to {held_to} on test slice {self.cut_offs.splits[0].test}:",
                self.verdict.table(),
            ]
        )


def as_trained(lake: Lake, summary: ScoresSummary, target: Target, read: Read) -> Trained:
    """What is kept of it in the registry: figures, provenance, the model as it was judged, and its card."""
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
        importance=summary.importance,
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
        metrics=_metrics(judgement) | {f"importance_{name}": mean for name, mean in summary.importance.items()},
        settings={
            "kind": summary.model.kind,
            "setting": str(judgement.newest.setting),
            "seed": seed,
            "settings_tried": len(judgement.newest.tried.loss),
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


def importance(judgement: Judgement, question: Question, read: Read) -> dict[str, float]:
    """By feature, the mean absolute Shapley value of the calibrated log-odds, of the newest choice on rows of its test slice, which it has not seen."""
    newest = judgement.newest
    rows = question.asked(read.known.at(newest.split.test)).rows[:ROWS_EXPLAINED]
    means = np.abs(newest.model.contributions(rows)).mean(axis=0)
    return dict(zip(FEATURES, means.tolist(), strict=True))


def _metrics(judgement: Judgement) -> dict[str, float]:
    metrics = {f"test_{name}": found.value for name, found in judgement.metrics[SELECTED].items()}
    metrics |= {f"test_{name}_baseline": found.value for name, found in judgement.metrics[judgement.baseline].items()}
    losses = judgement.newest.tried.loss
    metrics |= {f"choice_log_loss_{str(one).replace('=', '_')}": value for one, value in losses.items()}
    return metrics | {
        "test_calibration_error": judgement.calibration_error,
        "test_brier_gain": judgement.gain.value,
        "test_brier_gain_low": judgement.gain.low,
    }


def report(lake: Lake, summary: ScoresSummary, target: Target, read: Read) -> None:
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

"""Which contender becomes the scores champion, and how good it is: chosen on one slice of time, judged on a later one.

Both contenders are calibrated on the validation slice. The baselines know that slice and no more: the share of buyers,
and the share of buyers by how long ago a profile last ordered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lakehouse.models import evaluation
from lakehouse.models.evaluation import Array, Bin, Estimate

BASE_RATE = "baseline: share of buyers"
RECENCY = "baseline: share by recency"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Collected predictions at one cut-off, in one order: logits by contender, outcome, recency bin."""

    logits: Mapping[str, Array]
    label: Array
    recency: Array


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The champion and its calibration, and the figures of everyone on the test slice.

    `validation_log_loss`: by contender, out of fold; what the choice was made by. `gain`: Brier score of the recency
    baseline less the champion's. `metrics`: by contender or baseline, then by metric.
    """

    champion: str
    slope: float
    offset: float
    validation_log_loss: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, Estimate]]
    gain: Estimate
    reliability: tuple[Bin, ...]

    @property
    def beats_baseline(self) -> bool:
        return self.gain.low > 0

    @property
    def calibration_error(self) -> float:
        return evaluation.expected_calibration_error(self.reliability)

    def table(self) -> str:
        """For a person: the metrics beside the baselines, and the reliability of the champion."""
        names = list(evaluation.METRICS)
        verdict = "better than" if self.beats_baseline else "NOT shown to be better than"
        lines = [f"{'test slice, 95 % interval':<27} " + " ".join(f"{name:<24}" for name in names)]
        for who, found in self.metrics.items():
            lines.append(f"{who:<27} " + " ".join(f"{found[name]!s:<24}" for name in names))
        pairs = (f"{one.predicted:.3f} -> {one.observed:.3f}" for one in self.reliability)
        lines += [
            f"{self.champion} is {verdict} the recency baseline: Brier gain {self.gain}",
            f"calibration error {self.calibration_error:.4f}; predicted -> observed, by tenths of the profiles:",
            "  " + "  ".join(pairs),
        ]
        return "\n".join(line.rstrip() for line in lines)


def judge(validation: Slice, test: Slice, seed: int) -> Judgement:
    """Choose by log-loss on `validation` (the contender named first if equal), judge on `test`."""
    losses = {
        name: evaluation.log_loss(evaluation.platt_out_of_fold(logit, validation.label), validation.label)
        for name, logit in validation.logits.items()
    }
    champion = min(losses, key=lambda name: losses[name])
    scaling = {name: evaluation.platt(logit, validation.label) for name, logit in validation.logits.items()}
    contenders = {
        name: evaluation.sigmoid(scaling[name][0] * logit + scaling[name][1]) for name, logit in test.logits.items()
    }
    predictions = contenders | baselines(validation, test)
    return Judgement(
        champion=champion,
        slope=scaling[champion][0],
        offset=scaling[champion][1],
        validation_log_loss=losses,
        metrics={name: evaluation.estimates(p, test.label, seed) for name, p in predictions.items()},
        gain=evaluation.brier_gain(predictions[champion], predictions[RECENCY], test.label, seed),
        reliability=evaluation.reliability(predictions[champion], test.label),
    )


def baselines(validation: Slice, test: Slice) -> dict[str, Array]:
    """Predictions on `test` of the two rules learned on `validation`.

    The share of a recency bin is drawn to the share of all by the weight of one profile, so that an empty bin has one.
    """
    share = float(validation.label.mean())
    by_recency = np.full(len(test.label), share)
    for recency in np.unique(test.recency):
        alike = validation.label[validation.recency == recency]
        by_recency[test.recency == recency] = (alike.sum() + share) / (len(alike) + 1)
    return {BASE_RATE: np.full(len(test.label), share), RECENCY: by_recency}

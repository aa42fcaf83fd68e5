"""How good probabilities are: proper scores, ranking, calibration, each on predictions collected to the driver.

Arrays are of equal length: `p` probabilities 0..1, `y` outcomes 0 or 1. Brier (1950) score and log-loss are proper: no
other probabilities than the true ones do better in expectation. AUC by ranks (Mann-Whitney), average precision as the sum of
precision over the steps of recall; both as scikit-learn defines them, which the tests compare with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakehouse.drift.calibration import apart_by_chance
from lakehouse.fairness.correction import sigmoid

Array = NDArray[np.float64]
Metric = Callable[[Array, Array, Array | None], float]
"""Of probabilities, outcomes and the rows' weights; None = all weigh the same."""

RESAMPLES = 100
MEAN_RESAMPLES = 1_000
_LEAST = 1e-12  # a probability of exactly 0 or 1 would make the log-loss infinite


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its 95 % percentile bootstrap interval over rows."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One row of a reliability table."""

    count: int
    predicted: float
    observed: float


def brier(p: Array, y: Array, weight: Array | None = None) -> float:
    return float(np.average((p - y) ** 2, weights=weight))


def log_loss(p: Array, y: Array, weight: Array | None = None) -> float:
    q = np.clip(p, _LEAST, 1 - _LEAST)
    return float(-np.average(y * np.log(q) + (1 - y) * np.log1p(-q), weights=weight))


def auc(p: Array, y: Array, weight: Array | None = None) -> float:
    """Chance that a positive ranks above a negative, ties one half; 0.5 where there is one class only."""
    positives, all_ = _by_rising(p, y, weight)
    negatives = all_ - positives
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return 0.5
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / pairs)


def average_precision(p: Array, y: Array, weight: Array | None = None) -> float:
    """Area under the precision-recall steps, ties taken together; 0 where there is no positive."""
    positives, all_ = _by_rising(p, y, weight)
    if positives.sum() == 0:
        return 0.0
    hits, taken = np.cumsum(positives[::-1]), np.cumsum(all_[::-1])
    precision = hits / np.maximum(taken, _LEAST)
    return float(np.sum(np.diff(hits / hits[-1], prepend=0.0) * precision))


def lift(p: Array, y: Array, weight: Array | None = None) -> float:
    """Share of positives in the tenth with the highest `p`, over their share of all; of rows that tie at its edge, a part. 0 without a positive."""
    positives, all_ = _by_rising(p, y, weight)
    if positives.sum() == 0:
        return 0.0
    room = np.clip(all_.sum() / 10 - (np.cumsum(all_[::-1]) - all_[::-1]), 0.0, all_[::-1])
    caught = (positives[::-1] * room / np.maximum(all_[::-1], _LEAST)).sum()
    return float(caught / (positives.sum() / 10))


def _by_rising(p: Array, y: Array, weight: Array | None) -> tuple[Array, Array]:
    """Weight of the positives and of all rows, by each value of `p`, the least first."""
    order = np.argsort(p, kind="stable")
    given = np.ones_like(p) if weight is None else weight[order]
    starts = np.flatnonzero(np.diff(p[order], prepend=-np.inf))
    return np.add.reduceat(given * y[order], starts), np.add.reduceat(given, starts)


METRICS: dict[str, Metric] = {
    "log_loss": log_loss,
    "brier": brier,
    "auc": auc,
    "average_precision": average_precision,
    "lift": lift,
}


def estimates(p: Array, y: Array, seed: int, person: NDArray[np.int64] | None = None) -> dict[str, Estimate]:
    """Every metric of METRICS with its interval, resampled by `person`, a number for each row; None = each row is somebody else."""
    order = np.argsort(p, kind="stable")  # once: what is in order is quickly put in order
    p, y = p[order], y[order]
    draws = _draws(len(p) if person is None else int(person.max()) + 1, seed, RESAMPLES)
    weights = draws[:, order] if person is None else draws[:, person[order]]
    found = {}
    for name, metric in METRICS.items():
        low, high = np.quantile([metric(p, y, weight) for weight in weights], (0.025, 0.975))
        found[name] = Estimate(value=metric(p, y, None), low=float(low), high=float(high))
    return found


def _draws(people: int, seed: int, resamples: int) -> Array:
    """How often everybody is drawn, by resample and person."""
    random = np.random.default_rng(seed)
    return np.array(
        [np.bincount(random.integers(0, people, people), minlength=people) for _ in range(resamples)], float
    )


def mean_estimate(values: Array, seed: int) -> Estimate:
    """Of a figure per person, or of a paired difference: its mean, resampled by person. The same seed draws the same people."""
    draws = np.random.default_rng(seed).integers(0, len(values), (MEAN_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))


def brier_gain(p: Array, baseline: Array, y: Array, seed: int, person: NDArray[np.int64] | None = None) -> Estimate:
    """Brier score of `baseline` less that of `p`, row by row: above 0 with its whole interval, `p` is better.

    Resampled by `person`, see `estimates`; several rows of one person are drawn together.
    """
    gains = (baseline - y) ** 2 - (p - y) ** 2
    number = np.arange(len(gains)) if person is None else person
    total, count = np.bincount(number, gains), np.bincount(number).astype(float)
    draws = np.random.default_rng(seed).integers(0, len(total), (10 * RESAMPLES, len(total)))
    low, high = np.quantile(total[draws].sum(axis=1) / count[draws].sum(axis=1), (0.025, 0.975))
    return Estimate(value=float(gains.mean()), low=float(low), high=float(high))


def platt(logit: Array, y: Array) -> tuple[float, float]:
    """Slope and offset that make sigmoid(slope * logit + offset) the most likely, by Newton's method.

    Outcomes are drawn in by Platt's prior, (positives + 1) / (positives + 2) and 1 / (negatives + 2), so that separable
    data does not run away.
    """
    positives = float(y.sum())
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (len(y) - positives + 2))
    design = np.column_stack([logit, np.ones_like(logit)])
    rate = float(target.mean())
    coefficients = np.array([0.0, np.log(rate / (1 - rate))])
    for _ in range(100):
        p = sigmoid(design @ coefficients)
        gradient = design.T @ (target - p)
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-10:
            break
    return float(coefficients[0]), float(coefficients[1])


def platt_out_of_fold(logit: Array, y: Array, person: NDArray[np.int64]) -> Array:
    """Calibrated probabilities of rows by the calibration of the other half of the people, so that a choice by them is a fair one."""
    p = np.empty_like(logit)
    is_even = np.unique(person, return_inverse=True)[1] % 2 == 0
    for held_out in (is_even, ~is_even):
        slope, offset = platt(logit[~held_out], y[~held_out])
        p[held_out] = sigmoid(slope * logit[held_out] + offset)
    return p


def reliability(p: Array, y: Array, bins: int = 10) -> tuple[Bin, ...]:
    """Bins of equal count by rising `p`: mean prediction against observed share."""
    parts: Sequence[NDArray[np.int64]] = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p)))
    return tuple(
        Bin(count=len(rows), predicted=float(p[rows].mean()), observed=float(y[rows].mean())) for rows in parts
    )


def expected_calibration_error(table: Sequence[Bin]) -> float:
    """Mean distance of prediction and outcome over the bins of a reliability table, weighted by count."""
    total = sum(one.count for one in table)
    return sum(one.count * abs(one.predicted - one.observed) for one in table) / total


@dataclass(frozen=True, kw_only=True)
class Chance:
    """What true probabilities stay below by chance. error: expected calibration error. bias: distance of the mean prediction from the share observed."""

    error: float
    bias: float


def calibration_chance(p: Array, seed: int, *, level: float = 0.9875, bins: int = 10, draws: int = 1_000) -> Chance:
    """Each in `level` of the draws of outcomes, among so many rows.

    What is found is at most this much above what is true, at that level: the error is a mean of absolute distances, and that of the outcomes from the truth adds
    to that of the truth at most.
    """
    starts = np.array([part[0] for part in np.array_split(np.arange(len(p)), min(bins, len(p)))])
    drawn = np.array(list(apart_by_chance(np.sort(p), starts, np.random.default_rng(seed), draws))) / len(p)
    errors, biases = np.abs(drawn).sum(axis=1), np.abs(drawn.sum(axis=1))
    return Chance(error=float(np.quantile(errors, level)), bias=float(np.quantile(biases, level)))

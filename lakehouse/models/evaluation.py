"""How good probabilities are: proper scores, ranking, calibration, each on predictions collected to the driver.

Arrays are of equal length: `p` probabilities 0..1, `y` outcomes 0 or 1. Brier (1950) score and log-loss are proper: no
other probabilities than the true ones do better in expectation. AUC by ranks (Mann-Whitney), average precision as the sum of
precision over the steps of recall; both as scikit-learn defines them, which the tests compare with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float]

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


def brier(p: Array, y: Array) -> float:
    return float(np.mean((p - y) ** 2))


def log_loss(p: Array, y: Array) -> float:
    q = np.clip(p, _LEAST, 1 - _LEAST)
    return float(-np.mean(y * np.log(q) + (1 - y) * np.log1p(-q)))


def auc(p: Array, y: Array) -> float:
    """Chance that a positive ranks above a negative, ties one half; 0.5 where there is one class only."""
    positives = float(y.sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    ranks = float(rankdata(p)[y == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(p: Array, y: Array) -> float:
    """Area under the precision-recall steps, ties taken together; 0 where there is no positive."""
    if y.sum() == 0:
        return 0.0
    order = np.argsort(-p, kind="stable")
    hits, last = np.cumsum(y[order]), np.append(np.diff(p[order]) != 0, True)
    precision, recall = (hits / np.arange(1, len(y) + 1))[last], (hits / hits[-1])[last]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


METRICS: dict[str, Metric] = {"log_loss": log_loss, "brier": brier, "auc": auc, "average_precision": average_precision}


def estimates(p: Array, y: Array, seed: int) -> dict[str, Estimate]:
    """Every metric of METRICS with its interval."""
    return {name: estimate(metric, p, y, seed) for name, metric in METRICS.items()}


def estimate(metric: Metric, p: Array, y: Array, seed: int, resamples: int = RESAMPLES) -> Estimate:
    random = np.random.default_rng(seed)
    draws = (random.integers(0, len(y), len(y)) for _ in range(resamples))
    low, high = np.quantile([metric(p[rows], y[rows]) for rows in draws], (0.025, 0.975))
    return Estimate(value=metric(p, y), low=float(low), high=float(high))


def mean_estimate(values: Array, seed: int) -> Estimate:
    """Of a figure per person, or of a paired difference: its mean, resampled by person. The same seed draws the same people."""
    draws = np.random.default_rng(seed).integers(0, len(values), (MEAN_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))


def brier_gain(p: Array, baseline: Array, y: Array, seed: int) -> Estimate:
    """Brier score of `baseline` less that of `p`, row by row: above 0 with its whole interval, `p` is better."""
    gains = (baseline - y) ** 2 - (p - y) ** 2
    return estimate(lambda gain, _: float(np.mean(gain)), gains, y, seed, resamples=10 * RESAMPLES)


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


def platt_out_of_fold(logit: Array, y: Array) -> Array:
    """Calibrated probabilities of rows by the calibration of the other half, so that a choice by them is a fair one."""
    p = np.empty_like(logit)
    is_even = np.arange(len(y)) % 2 == 0
    for held_out in (is_even, ~is_even):
        slope, offset = platt(logit[~held_out], y[~held_out])
        p[held_out] = sigmoid(slope * logit[held_out] + offset)
    return p


def sigmoid(x: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)), dtype=np.float64)


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

"""The answer as a probability: that an arm is better than the baseline, and what choosing it is expected to cost if it is not.

Proportions have a Beta posterior with a flat prior, other means a normal one with a flat prior. The difference of two
Beta posteriors is integrated numerically. Source: Stucchio, Bayesian A/B Testing at VWO (2015).
"""

import math
from dataclasses import dataclass

import numpy as np

from lakehouse.experiments.sample_statistics import SampleMoments, difference

_POINTS = 4001
_FAR = 10.0  # posterior standard deviations the integral goes out to


@dataclass(frozen=True, kw_only=True)
class Bayesian:
    """`expected_loss`: of choosing the arm, in the metric's unit; nan where nothing is known."""

    probability_better: float
    expected_loss: float


def bayesian(arm: SampleMoments, baseline: SampleMoments) -> Bayesian:
    """A larger metric is better. 0.5 where nothing varies and nothing differs."""
    from scipy import stats  # as in fixed.py

    if arm.is_binary and baseline.is_binary:
        return _proportions(arm, baseline)
    gap = difference(arm, baseline)
    if not gap.is_known:
        return Bayesian(probability_better=0.5 if gap.value == 0 else float("nan"), expected_loss=float("nan"))
    error = math.sqrt(gap.squared_error)
    z = gap.value / error
    loss = error * float(stats.norm.pdf(z)) - gap.value * float(stats.norm.sf(z))
    return Bayesian(probability_better=float(stats.norm.cdf(z)), expected_loss=max(loss, 0.0))


def _proportions(arm: SampleMoments, baseline: SampleMoments) -> Bayesian:
    """P(arm > baseline) = integral of the arm's density times the baseline's distribution below; the loss alike."""
    from scipy import stats  # as in fixed.py

    a, b = (stats.beta(1 + one.mean * one.n, 1 + (1 - one.mean) * one.n) for one in (arm, baseline))
    low = max(0.0, min(one.mean() - _FAR * one.std() for one in (a, b)))
    high = min(1.0, max(one.mean() + _FAR * one.std() for one in (a, b)))
    x = np.linspace(low, high, _POINTS)
    arm_below, baseline_below = a.cdf(x), b.cdf(x)
    density = np.nan_to_num(a.pdf(x))
    better = float(np.trapezoid(density * baseline_below, x) / np.trapezoid(density, x))
    # E[max(baseline - arm, 0)] = integral of P(arm <= x < baseline)
    loss = float(np.trapezoid(arm_below * (1 - baseline_below), x))
    return Bayesian(probability_better=min(max(better, 0.0), 1.0), expected_loss=loss)

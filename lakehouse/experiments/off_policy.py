"""What a policy nobody has run yet would have earned, from the log of another one. It refuses rather than guesses.

Inverse propensity weighting, its self-normalised form, and the doubly robust estimate; source: Saito, Aihara, Matsutani and
Narita, Open Bandit Dataset and Pipeline, NeurIPS 2021 (arXiv 2008.07146), section 5. Where few rows carry most of the
weight no estimate means anything; then the answer is a reason.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
LEAST_EFFECTIVE_SHARE = 0.05  # effective sample over rows
MOST_WEIGHT_SHARE = 0.05  # of one row in the sum of all
MOST_MEAN_WEIGHT_ERROR = 0.2  # a log whose propensities are right has mean weight 1


@dataclass(frozen=True, kw_only=True)
class ValueEstimate:
    """Mean reward per decision, with its interval at 1 - alpha."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class OffPolicy:
    """`refused`: why nothing is said, in words; None = the estimates stand. `dr` None: no reward model was given."""

    n: int
    effective_n: float
    mean_weight: float
    largest_share: float
    refused: str | None
    ipw: ValueEstimate | None = None
    snipw: ValueEstimate | None = None
    dr: ValueEstimate | None = None


def evaluate(
    reward: Array,
    propensity: Array,
    target: Array,
    *,
    expected: Array | None = None,
    expected_under_target: Array | None = None,
    alpha: float = 0.05,
) -> OffPolicy:
    """Evaluate a policy on rows of a log, one per decision that no rule forced.

    Args:
        reward: of the logged action.
        propensity: with which the logging policy chose it; above 0.
        target: probability with which the new policy chooses that same action.
        expected: a model's reward of the logged action; with `expected_under_target` the doubly robust estimate is given.
        expected_under_target: the model's mean reward of the new policy's actions, for the row's context.
        alpha: of the intervals.

    Raises:
        ValueError: columns of different lengths, no rows, a propensity of 0 or less or above 1.
    """
    n = len(reward)
    _check(reward, propensity, target)
    weight = target / propensity
    total = float(weight.sum())
    effective = total**2 / float((weight**2).sum()) if total > 0 else 0.0
    largest = float(weight.max()) / total if total > 0 else 1.0
    refused = _refusal(n, effective, float(weight.mean()), largest)
    facts = {"n": n, "effective_n": effective, "mean_weight": float(weight.mean()), "largest_share": largest}
    if refused is not None:
        return OffPolicy(**facts, refused=refused)  # type: ignore[arg-type] # the names are its fields
    snipw = float((weight * reward).sum()) / total
    doubly = None
    if expected is not None and expected_under_target is not None:
        doubly = _mean(expected_under_target + weight * (reward - expected), alpha)
    return OffPolicy(
        **facts,  # type: ignore[arg-type]
        refused=None,
        ipw=_mean(weight * reward, alpha),
        snipw=_around(snipw, weight * (reward - snipw) / weight.mean(), alpha),
        dr=doubly,
    )


def _check(reward: Array, propensity: Array, target: Array) -> None:
    n = len(reward)
    if n == 0 or any(len(column) != n for column in (propensity, target)):
        raise ValueError(
            f"off-policy: got {n} rewards, {len(propensity)} propensities, {len(target)} targets, expected as many"
        )
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("off-policy: a propensity is not within (0, 1]. Rows without one cannot be used")


def _refusal(n: int, effective: float, mean_weight: float, largest: float) -> str | None:
    if effective < LEAST_EFFECTIVE_SHARE * n:
        return f"effective sample {effective:.0f} of {n}, expected at least {LEAST_EFFECTIVE_SHARE:.0%}: the policies differ too much"
    if abs(mean_weight - 1) > MOST_MEAN_WEIGHT_ERROR:
        return f"mean weight {mean_weight:.2f}, expected about 1: propensities are wrong, or actions were left out of the log"
    if largest > MOST_WEIGHT_SHARE:
        return f"one row carries {largest:.0%} of the weight, expected at most {MOST_WEIGHT_SHARE:.0%}"
    return None


def _mean(values: Array, alpha: float) -> ValueEstimate:
    return _around(float(values.mean()), values - values.mean(), alpha)


def _around(value: float, influence: Array, alpha: float) -> ValueEstimate:
    """By the central limit theorem over the rows' influence on the estimate."""
    half = float(stats.norm.isf(alpha / 2)) * float(influence.std(ddof=1)) / math.sqrt(len(influence))
    return ValueEstimate(value=value, interval=(value - half, value + half))

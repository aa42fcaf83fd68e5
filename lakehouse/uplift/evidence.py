"""Whether a policy is better than giving everybody the same: bounds that hold whatever was learned, from the judged parts of a chain.

Against one arm: the parts' mean differences d_k with standard errors s_k are added with weights that make every part as wide as
its number of rows asks, sqrt(n_k) / s_k (Luedtke and van der Laan 2016): where the policy is no better, the sum of d_k / s_k is
standard normal whatever the parts before have taught.

Against the best arm, which nobody knows: the policy has to be better than each one. That is an intersection-union test (Berger 1982):
the least of the one-sided bounds is a bound of the difference from the best, and needs no allowance for their number.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lakehouse.uplift.chain import Chain, LoggedArms

Array = NDArray[np.float64]

LEAST_IN_MEAN = 50  # persons; of fewer it is not normal, and nothing is said
# Of them, whose reward is not the commonest one and was seen under either arm: a mean of fewer is not normal.
LEAST_EVENTS = 20


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """A mean and its interval at 1 - alpha; endless where nothing can be said."""

    value: float
    low: float
    high: float


def mean(values: Array, person: NDArray[np.int64], alpha: float) -> Bounded:
    """Of rows; the rows of a person are one draw. Value nan where there are no rows."""
    value = float(values.mean()) if len(values) else math.nan
    if len(np.unique(person)) < LEAST_IN_MEAN:
        return Bounded(value=value, low=-math.inf, high=math.inf)
    error = standard_error(values, person)
    half = float(stats.norm.isf(alpha / 2)) * error
    return Bounded(value=value, low=value - half, high=value + half)


def gain_over(log: LoggedArms, chain: Chain, arm: int, alpha: float) -> Bounded:
    """Value of the chain's policies less that of giving everybody `arm`, per row."""
    is_other = chain.is_judged & (chain.choice != arm)
    gains = np.zeros(len(log))
    gains[is_other] = chain.scores[is_other, chain.choice[is_other]] - chain.scores[is_other, arm]
    is_event = log.reward != _commonest(log.reward)
    rows_judged, differences, weights = 0, [], []
    for part in np.unique(log.part[chain.is_judged]):
        rows = log.part == part
        rows_judged += int(rows.sum())
        error = standard_error(gains[rows], log.person[rows])
        if error > 0 and _is_enough(log, chain, rows & is_other, is_event, arm):
            differences.append(float(gains[rows].mean()))
            weights.append(math.sqrt(rows.sum()) / error)
    if not weights:
        return Bounded(value=0.0, low=-math.inf, high=math.inf)
    value = float(np.average(differences, weights=weights))
    half = float(stats.norm.isf(alpha / 2)) * math.sqrt(rows_judged) / sum(weights)
    return Bounded(value=value, low=value - half, high=value + half)


def _commonest(values: Array) -> float:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()])


def _is_enough(log: LoggedArms, chain: Chain, others: NDArray[np.bool_], is_event: NDArray[np.bool_], arm: int) -> bool:
    """A part in which the policy hardly differs from the arm says nothing; it counts as rows all the same."""
    if len(np.unique(log.person[others])) < LEAST_IN_MEAN:
        return False
    events = log.arm[others & is_event]
    chosen = chain.choice[others & is_event]
    return bool(min((events == chosen).sum(), (events == arm).sum()) >= LEAST_EVENTS)


def standard_error(values: Array, person: NDArray[np.int64]) -> float:
    """Of the mean of rows, those of a person together."""
    sums = np.bincount(person, weights=values - values.mean())
    return math.sqrt(float(sums @ sums)) / len(values)

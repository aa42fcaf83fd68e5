"""What an experiment of a size could find, and the size it needs: from the noise of a metric in the past. Pure.

With arms of n people, noise v (variance of one person) and m comparisons that decide, a difference d is found with the power p when

    d = (c + z(p)) sqrt(2 v / n)

c is z(1 - alpha / (2 m)) where one looks once, and the half-width of the confidence sequence at 2 n people, in standard errors,
where one may look at any time; there p is the power at n, and looking before adds to it. The first of Holm's steps is alpha / m:
Bonferroni. Sources: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 2; lakehouse/experiments/sequential.py.
"""

import math
from dataclasses import dataclass

from scipy import stats

from lakehouse.experiments.sequential import rho, width

_MOST = 2**40  # people: more than there are


@dataclass(frozen=True, kw_only=True)
class Design:
    """`arms`: of equal size, the baseline among them. `primary`: how many metrics decide."""

    arms: int = 2
    primary: int = 1
    alpha: float = 0.05
    power: float = 0.8

    @property
    def comparisons(self) -> int:
        return (self.arms - 1) * self.primary


def detectable(design: Design, variance: float, people: float, *, always_valid: bool) -> float:
    """The smallest difference that is found with the power; in the metric's unit. `people`: of one arm."""
    at = design.alpha / design.comparisons
    critical = width(2 * people, rho(design.alpha) ** 2, at) if always_valid else float(stats.norm.isf(at / 2))
    return (critical + float(stats.norm.isf(1 - design.power))) * math.sqrt(2 * variance / people)


def people_needed(design: Design, variance: float, difference: float, *, always_valid: bool) -> int:
    """Of one arm, the fewest with which the difference is found with the power.

    Raises:
        ValueError: no difference.
    """
    if not difference > 0:
        raise ValueError(f"difference: got {difference}, expected one above 0")
    low, high = 1, 2
    while detectable(design, variance, high, always_valid=always_valid) > difference and high < _MOST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if detectable(design, variance, middle, always_valid=always_valid) > difference:
            low = middle
        else:
            high = middle
    return high

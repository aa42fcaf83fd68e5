"""The answer at a moment fixed beforehand: Welch's t-test, and for proportions the two-proportion z-test.

To be looked at once. Sources: Welch, Biometrika 34 (1947); the pooled z-test of two proportions in any textbook, with the
unpooled (Wald) interval for the difference, as is usual.
"""

import math
from dataclasses import dataclass

from lakehouse.experiments.sample_statistics import SampleMoments, difference


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """`p`: two-sided; 1 where nothing varies and nothing differs. `interval`: of the difference, at 1 - alpha."""

    p: float
    interval: tuple[float, float]


def fixed(arm: SampleMoments, baseline: SampleMoments, *, alpha: float) -> Fixed:
    from scipy import stats  # half of what it takes to import the tables, of which few ask for this

    gap = difference(arm, baseline)
    if not gap.is_known:
        return Fixed(p=1.0 if gap.value == 0 else float("nan"), interval=(float("nan"), float("nan")))
    error = math.sqrt(gap.squared_error)
    if arm.is_binary and baseline.is_binary:
        pooled = (arm.mean * arm.n + baseline.mean * baseline.n) / (arm.n + baseline.n)
        spread = math.sqrt(pooled * (1 - pooled) * (1 / arm.n + 1 / baseline.n))
        half = float(stats.norm.isf(alpha / 2)) * error
        p = float(2 * stats.norm.sf(abs(gap.value) / spread)) if spread > 0 else 1.0
        return Fixed(p=p, interval=_around(gap.value, half))
    freedom = gap.squared_error**2 / sum(
        one.squared_error**2 / (one.n - 1) for one in (arm, baseline) if one.n > 1 and one.squared_error > 0
    )
    half = float(stats.t.isf(alpha / 2, freedom)) * error
    return Fixed(p=float(2 * stats.t.sf(abs(gap.value) / error, freedom)), interval=_around(gap.value, half))


def _around(value: float, half: float) -> tuple[float, float]:
    return value - half, value + half

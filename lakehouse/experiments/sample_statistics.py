"""What every answer is computed from: how many units an arm has, the mean of a metric and its variance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class SampleMoments:
    """`variance`: of one unit, with n - 1 below; nan for fewer than two. `is_binary`: every value was 0 or 1."""

    n: int
    mean: float
    variance: float
    is_binary: bool = False

    @property
    def squared_error(self) -> float:
        """Variance of the mean; nan for fewer than two units.

        Of a proportion seen as 0 or 1 it is not 0: a success and a failure are added. Source: Agresti and Coull, Approximate Is
        Better than "Exact" for Interval Estimation of Binomial Proportions, The American Statistician 52 (1998).
        """
        if self.n > 1 and self.is_binary and self.variance == 0:
            share = (self.mean * self.n + 1) / (self.n + 2)
            return share * (1 - share) / self.n
        return self.variance / self.n if self.n else float("nan")


def moments(values: NDArray[np.float64]) -> SampleMoments:
    """Of the values, one per unit; none of them nan."""
    n = len(values)
    is_binary = bool(n) and bool(np.isin(values, (0.0, 1.0)).all())
    variance = float(values.var(ddof=1)) if n > 1 else float("nan")
    return SampleMoments(n=n, mean=float(values.mean()) if n else float("nan"), variance=variance, is_binary=is_binary)


@dataclass(frozen=True, kw_only=True)
class MeanDifference:
    """Arm less baseline, with its variance."""

    value: float
    squared_error: float

    @property
    def is_known(self) -> bool:
        return self.squared_error > 0 and np.isfinite(self.squared_error)


def difference(arm: SampleMoments, baseline: SampleMoments) -> MeanDifference:
    return MeanDifference(value=arm.mean - baseline.mean, squared_error=arm.squared_error + baseline.squared_error)

"""The answer that may be looked at whenever one likes: an asymptotic confidence sequence, and the p-value that belongs to it.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics 52 (2024), theorem 2.2, as GrowthBook applies it to a difference of means with N units:

    half-width = sqrt(variance of the mean * N) * sqrt(2 (N rho^2 + 1) / (N rho)^2 * log(sqrt(N rho^2 + 1) / alpha))

with N the units of both arms and rho chosen so that the sequence is tightest at TUNED_FOR units.
"""

import math
from dataclasses import dataclass

from lakehouse.experiments.sample_statistics import SampleMoments, difference

TUNED_FOR = 5000


@dataclass(frozen=True, kw_only=True)
class Sequential:
    """`p`: always valid; stays below alpha by chance, ever, with probability at most alpha. `interval`: at 1 - alpha."""

    p: float
    interval: tuple[float, float]


def sequential(arm: SampleMoments, baseline: SampleMoments, *, alpha: float) -> Sequential:
    gap = difference(arm, baseline)
    if not gap.is_known:
        nothing = (float("nan"), float("nan"))
        return Sequential(p=1.0, interval=nothing)
    n = arm.n + baseline.n
    rho_squared = rho(alpha) ** 2
    half = math.sqrt(gap.squared_error) * width(n, rho_squared, alpha)
    return Sequential(
        p=always_valid_p(gap.value**2 / gap.squared_error, n, rho_squared),
        interval=(gap.value - half, gap.value + half),
    )


def rho(alpha: float) -> float:
    """Tightest at TUNED_FOR units. Source: as above, appendix B.2, equation (45)."""
    return math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / TUNED_FOR)


def width(n: float, rho_squared: float, alpha: float) -> float:
    """Half-width in standard errors of the difference."""
    grown = n * rho_squared + 1
    return math.sqrt(2 * grown / (n * rho_squared) * math.log(math.sqrt(grown) / alpha))


def always_valid_p(z_squared: float, n: float, rho_squared: float) -> float:
    """The smallest alpha whose interval leaves out 0, in closed form: `width` solved for alpha, at this rho; at most 1."""
    grown = n * rho_squared + 1
    return min(1.0, math.exp(0.5 * math.log(grown) - z_squared * n * rho_squared / (2 * grown)))

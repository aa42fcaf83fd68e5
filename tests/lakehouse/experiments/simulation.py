"""A/A tests by the thousand, in arrays; used by tests and by the benchmark."""

import numpy as np
from scipy import stats

from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.sample_statistics import SampleMoments, moments
from lakehouse.experiments.sequential import rho, width

ALPHA = 0.05
SHARE = 0.05


def false_positives(*, experiments: int, looks: int, units: int, seed: int) -> tuple[float, float]:
    """Share of A/A tests (a rate of SHARE in both arms, `units` each) that some look calls significant: fixed, always valid."""
    rng = np.random.default_rng(seed)
    step = units // looks
    n = np.arange(1, looks + 1) * step
    counts = rng.binomial(step, SHARE, size=(experiments, 2, looks)).cumsum(axis=2)
    rates = counts / n
    variances = rates * (1 - rates) * n / np.maximum(n - 1, 1)
    errors = np.sqrt(variances.sum(axis=1) / n)
    z = np.abs(rates[:, 0] - rates[:, 1]) / np.where(errors > 0, errors, np.inf)
    widths = np.array([width(2 * at, rho(ALPHA) ** 2, ALPHA) for at in n])
    fixed_share = float((z > stats.norm.isf(ALPHA / 2)).any(axis=1).mean())
    return fixed_share, float((z > widths).any(axis=1).mean())


def interval_coverage(kind: str, *, experiments: int, units: int, seed: int) -> float:
    """Share of fixed-horizon intervals that hold the true difference: rates of 10 and 12 %, or skewed amounts."""
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(experiments):
        if kind == "proportion":
            arm, baseline = (_proportion(rng.binomial(units, share), units) for share in (0.12, 0.10))
            truth = 0.02
        else:
            arm, baseline = (moments(rng.gamma(2, scale, units)) for scale in (11.0, 10.0))
            truth = 2.0
        low, high = fixed(arm, baseline, alpha=ALPHA).interval
        held += low <= truth <= high
    return held / experiments


def _proportion(successes: int, n: int) -> SampleMoments:
    return moments(np.repeat([1.0, 0.0], [successes, n - successes]))

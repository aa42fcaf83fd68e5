"""How likely each arm is the best, by integration: no draws, so the same state gives the same propensities.

    P(k is best) = integral of f_k(y) * product over j != k of F_j(y)

with f and F the density and distribution of worth x Beta(a, b). Every arm brings points of its own to the grid, so an arm
known to a thousandth and one not known at all are both resolved.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_POINTS = 48
_BELOW, _ABOVE = 6.0, 8.0  # standard deviations about the mean that the points of an arm span
_LEAST = 1e-300


def chances_of_best(alpha: Array, beta: Array, worths: Array) -> Array:
    """Probability of each arm, adding up to 1. `alpha`, `beta`: 1 or more, one per arm; `worths`: what a reward of 1 is worth.

    An arm without worth counts as worth next to nothing.
    """
    if len(alpha) == 1:
        return np.ones(1)
    worths = np.maximum(worths, 1e-9 * max(float(worths.max()), _LEAST))
    mean = alpha / (alpha + beta)
    deviation = np.sqrt(mean * (1 - mean) / (alpha + beta + 1))
    low, high = np.maximum(0.0, mean - _BELOW * deviation), np.minimum(1.0, mean + _ABOVE * deviation)
    points = worths * np.linspace(low, high, _POINTS)
    grid = np.sort(points, axis=None)
    x = np.clip(grid / worths[:, None], _LEAST, 1.0)
    rest = np.maximum(1.0 - x, _LEAST)
    logs = (alpha - 1)[:, None] * np.log(x) + (beta - 1)[:, None] * np.log(rest)
    density = np.exp(logs - logs.max(axis=1, keepdims=True))
    density[grid > worths[:, None]] = 0.0
    steps = (density[:, 1:] + density[:, :-1]) * np.diff(grid)
    mass = steps / steps.sum(axis=1, keepdims=True)
    below = np.maximum(mass.cumsum(axis=1) - 0.5 * mass, _LEAST)  # at the middle of each step
    logs_below = np.log(below)
    others = np.exp(logs_below.sum(axis=0) - logs_below)
    chances = (mass * others).sum(axis=1)
    return np.asarray(chances / chances.sum(), dtype=np.float64)

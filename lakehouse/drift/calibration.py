"""Whether predicted probabilities are still true, once it is known what came of them.

Expected calibration error over tenths of the rows, and its null distribution: were the predictions true, each outcome would be a coin of its own chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TENTHS = 10


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """error: expected calibration error, 0..1. p: chance of one so large were the predictions true. predicted, observed: means."""

    error: float
    p: float
    predicted: float
    observed: float


def calibration(predicted: Array, outcome: Array, random: np.random.Generator, draws: int = 2_000) -> Calibration:
    """`outcome`: 0 or 1. Raises ValueError where there is no row."""
    if not len(predicted):
        raise ValueError("calibration: got no row, expected some")
    order = np.argsort(predicted, kind="stable")
    tenths = np.minimum(np.arange(len(order)) * TENTHS // len(order), TENTHS - 1)
    starts = np.flatnonzero(np.diff(tenths, prepend=-1))
    expected = np.add.reduceat(predicted[order], starts)
    found = np.abs(np.add.reduceat(outcome[order], starts) - expected).sum() / len(order)
    by_chance = np.empty(draws)
    for number in range(draws):  # one at a time: many rows times many draws would not fit
        coin = (random.random(len(order)) < predicted[order]).astype(np.float64)
        by_chance[number] = np.abs(np.add.reduceat(coin, starts) - expected).sum() / len(order)
    p = float((1 + (by_chance >= found - 1e-12).sum()) / (1 + draws))
    return Calibration(error=float(found), p=p, predicted=float(predicted.mean()), observed=float(outcome.mean()))

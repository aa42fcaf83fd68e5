"""Whether predicted probabilities are still true, once it is known what came of them.

Expected calibration error over tenths of the rows, and its null distribution: were the predictions true, each outcome would be a coin of its own chance.
"""

from collections.abc import Iterator
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
    by_chance = np.array([np.abs(one).sum() for one in apart_by_chance(predicted[order], starts, random, draws)])
    by_chance /= len(order)
    p = float((1 + (by_chance >= found - 1e-12).sum()) / (1 + draws))
    return Calibration(error=float(found), p=p, predicted=float(predicted.mean()), observed=float(outcome.mean()))


def apart_by_chance(
    predicted: Array, starts: NDArray[np.intp], random: np.random.Generator, draws: int
) -> Iterator[Array]:
    """For each draw of outcomes that come as predicted, how many more there are than expected in each part of the rows. `starts`: the first row of each."""
    expected = np.add.reduceat(predicted, starts)
    for _ in range(draws):  # one at a time: many rows times many draws would not fit
        yield np.add.reduceat((random.random(len(predicted)) < predicted).astype(np.float64), starts) - expected

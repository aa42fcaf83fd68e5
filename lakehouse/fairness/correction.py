"""A threshold for each group, by which every group is chosen at the same rate, and what that costs in accuracy.

The rate is the one at which the choice is most often right on the rows it was learned from (Hardt, Price and Srebro, Equality of Opportunity in Supervised
Learning, 2016; fairlearn's ThresholdOptimizer with demographic_parity). It decides by the group itself, which the law may forbid: nothing in this release
applies it by itself. Rows at a group's threshold that are too many are chosen by chance, seeded, for many people may have one score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.fairness.audit import LEAST_ROWS, Array, Names

RATES: Final = 1_000  # tried, from nobody to everybody


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """rate: share chosen of every group. cuts: by group, the score from which somebody is chosen, and the chance of who is exactly there.

    general: cut and chance of a group that was not there, or too small, when it was learned.
    """

    rate: float
    cuts: Mapping[str, tuple[float, float]]
    general: tuple[float, float]

    def select(self, groups: Names, score: Array, seed: int) -> Array:
        """0 or 1 for each."""
        told = [self.cuts.get(str(name), self.general) for name in groups]
        cut, chance = (np.array([one[place] for one in told]) for place in (0, 1))
        at_the_cut = np.random.default_rng(seed).random(len(score)) < chance
        return np.asarray((score > cut) | ((score == cut) & at_the_cut), dtype=np.float64)


def learn(groups: Names, score: Array, outcome: Array, least_rows: int = LEAST_ROWS) -> Thresholds:
    """The thresholds of least price. Raises ValueError where there is no row."""
    if not len(score):
        raise ValueError("correction: got no row, expected some")
    names, counts = np.unique(np.array([str(name) for name in groups]), return_counts=True)
    of_group = {
        str(name): np.array([str(one) == name for one in groups])
        for name, n in zip(names, counts, strict=True)
        if n >= least_rows
    }
    rates = np.linspace(0, 1, RATES + 1)
    right = np.zeros(len(rates))
    for rows in of_group.values() or [np.ones(len(score), dtype=bool)]:
        right += _right(score[rows], outcome[rows], rates)
    rate = float(rates[int(np.argmax(right))])
    return Thresholds(
        rate=rate, cuts={name: _cut(score[rows], rate) for name, rows in of_group.items()}, general=_cut(score, rate)
    )


def _right(score: Array, outcome: Array, rates: Array) -> Array:
    """How many are judged rightly if the best `rate` of them are chosen; between two rows, and among equal scores, in expectation."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)) + 1  # equal scores are taken together
    bought = np.concatenate([[0], np.cumsum(outcome[order])])[np.concatenate([[0], ends])]
    chosen = np.concatenate([[0], ends])
    missed = float((outcome == 0).sum())
    return np.asarray(np.interp(rates * len(score), chosen, bought - (chosen - bought) + missed), dtype=np.float64)


def _cut(score: Array, rate: float) -> tuple[float, float]:
    """Score and chance at it by which that share is chosen, in expectation."""
    wanted = rate * len(score)
    falling: NDArray[np.float64] = -np.sort(-score, kind="stable")
    place = min(int(wanted), len(score) - 1)
    cut = float(falling[place])
    above, equal = int((score > cut).sum()), int((score == cut).sum())
    return cut, float(np.clip((wanted - above) / equal, 0.0, 1.0))

"""A threshold for each group, by which every group is chosen at the same rate, and what that costs in accuracy.

The rate is the one at which the choice is most often right on the rows it was learned from (Hardt, Price and Srebro, Equality of Opportunity in Supervised
Learning, 2016; fairlearn's ThresholdOptimizer with demographic_parity). It decides by the group itself, which the law may forbid: it is off unless
fairness.corrects names the groups. Rows at a group's threshold that are too many are chosen by chance, seeded, for many people may have one score.

What is applied (`learn_shifts`) leaves nothing to chance, for the stream, a rebuild and whoever asks later must agree: the log-odds of a group are moved so that its
threshold becomes the one of everybody. Equal scores stay together, on the side that is nearer to the rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.fairness.audit import LEAST_ROWS, UNKNOWN, Array, Names

RATES: Final = 1_000  # tried, from nobody to everybody
_LEAST: Final = 1e-12  # a score of exactly 0 or 1 has no log-odds


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


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Log-odds that are added to a score, by group. general: of a group that was not there, or too small, when they were learned."""

    by_group: Mapping[str, float]
    general: float

    def apply(self, groups: Names, score: Array) -> Array:
        """Scores 0..1 by which one threshold chooses every group at one rate. A group that is null is UNKNOWN."""
        names = (UNKNOWN if name is None or name != name else str(name) for name in groups)
        return from_logit(to_logit(score) + np.array([self.by_group.get(name, self.general) for name in names]))

    def cut(self, group: str, threshold: float) -> float:
        """Score of before from which one threshold chooses the group."""
        logit = to_logit(np.array([threshold])) - self.by_group.get(group, self.general)
        return float(from_logit(logit)[0])


def learn_shifts(groups: Names, score: Array, outcome: Array, threshold: float, least_rows: int = LEAST_ROWS) -> Shifts:
    """The shifts that make `threshold` choose as `learn` does. Raises ValueError where there is no row."""
    found = learn(groups, score, outcome, least_rows)
    names = np.array([str(name) for name in groups])
    return Shifts(
        by_group={name: _shift(score[names == name], cut, threshold) for name, cut in found.cuts.items()},
        general=_shift(score, found.general, threshold),
    )


def _shift(score: Array, cut: tuple[float, float], threshold: float) -> float:
    """Log-odds from between the lowest score that is chosen and the highest that is not, to the threshold."""
    lowest, chance = cut
    is_chosen = (score >= lowest) if chance >= 0.5 else (score > lowest)
    logit = to_logit(score)
    if is_chosen.all() or not is_chosen.any():
        between = float(logit.min()) - 1.0 if is_chosen.all() else float(logit.max()) + 1.0
    else:
        between = float(logit[is_chosen].min() + logit[~is_chosen].max()) / 2
    return float(to_logit(np.array([threshold]))[0]) - between


def to_logit(p: Array) -> Array:
    """Log-odds; of 0 and 1 those of what is next to them."""
    inner = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(inner) - np.log1p(-inner), dtype=np.float64)


def from_logit(logit: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit)), dtype=np.float64)


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

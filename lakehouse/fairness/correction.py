"""A threshold for each group, by which every group is chosen at the same rate: its scores are moved, so that the threshold becomes the one of everybody.

The rate is the one at which the choice is most often right on the rows it was learned from (Hardt, Price and Srebro, Equality of Opportunity in Supervised
Learning, 2016; fairlearn's ThresholdOptimizer with demographic_parity). It decides by the group itself, which the law may forbid: it is off unless
fairness.corrects names the groups. fairlearn draws lots among people of one score; here they stay together, on the side that is nearer to the rate, for the
stream, a rebuild and whoever asks later must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.fairness.audit import LEAST_ROWS, Array, Names, names_of

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


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Log-odds that are added to a score, by group. general: of a group that was not there, or too small, when they were learned."""

    by_group: Mapping[str, float]
    general: float

    def apply(self, groups: Names, score: Array) -> Array:
        """Scores 0..1 by which one threshold chooses every group at one rate. A group that is null is of an unknown one."""
        shifts = [self.by_group.get(name, self.general) for name in names_of(groups)]
        return sigmoid(to_logit(score) + np.array(shifts))

    def cut(self, group: str, threshold: float) -> float:
        """Score of before from which one threshold chooses the group."""
        logit = to_logit(np.array([threshold])) - self.by_group.get(group, self.general)
        return float(sigmoid(logit)[0])


def learn_shifts(groups: Names, score: Array, outcome: Array, threshold: float, least_rows: int = LEAST_ROWS) -> Shifts:
    """The shifts that make `threshold` choose as `learn` does. Raises ValueError where there is no row."""
    found = learn(groups, score, outcome, least_rows)
    names = names_of(groups)
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


def sigmoid(logit: Array) -> Array:
    """Probabilities of log-odds."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit)), dtype=np.float64)


def learn(groups: Names, score: Array, outcome: Array, least_rows: int = LEAST_ROWS) -> Thresholds:
    """The thresholds of least price. Raises ValueError where there is no row."""
    if not len(score):
        raise ValueError("correction: got no row, expected some")
    names = names_of(groups)
    by_name = {name: names == name for name in sorted(set(names.tolist()))}
    of_group = {name: rows for name, rows in by_name.items() if rows.sum() >= least_rows}
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

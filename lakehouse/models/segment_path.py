"""Which segment a profile is in, and until when, as time passes since something it did: pure numpy.

A group's cost (lakehouse/models/grouping.py) of a profile of which nothing changes but the days since is a parabola in ln(1 + days), whose place and height
follow from the other figures. So all instants at which another group may be the cheapest are roots of differences of two parabolas. Between two of them
one group is the cheapest: a stay.

A stay that would be over before ln(1 + days) has grown by LEAST_STAY is not begun: the profile remains where it was, or where it was not anywhere yet, it
begins in the stay after. This is the hysteresis. It follows from the row and the model, so stream and rebuild agree whatever they have seen before. By centres alone (K-means,
bisecting) a profile that does nothing never comes back to a segment it has left: the differences are lines.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.models.cluster_quality import Array, Labels
from lakehouse.models.grouping import Group

Micros = NDArray[np.int64]
LEAST_STAY: Final = float(np.log(1.1))  # a tenth of the days since, and of a day
DAY_MICROS: Final = 86_400_000_000
QUARTER_MICROS: Final = 900_000_000
NEVER: Final = np.iinfo(np.int64).max
_MOST_DAYS: Final = 36_525.0  # nobody waits for what happens in more than a century
_NOTHING: Final = 1e-9  # an interval of ln(1 + days) that short is two roots that are one


@dataclass(frozen=True)
class Stays:
    """Of rows x stays that are possible at most. begins: microseconds since, where the stay is one; NEVER where it is none. The first of a row holds before, too."""

    begins: Micros
    labels: Labels

    def at(self, since: Micros, as_of: Micros) -> tuple[Labels, Micros]:
        """Number of the group of each row at an instant, and the quarter of an hour by which it is another one; NEVER = never. Both in microseconds since 1970."""
        age = (as_of - since)[:, None]
        rows, last = np.arange(len(self.begins)), self.begins.shape[1] - 1
        is_stay, is_begun = self.begins < NEVER, self.begins <= age
        begun_last = last - np.argmax(is_begun[:, ::-1], axis=1)
        place = np.where(is_begun.any(axis=1), begun_last, np.argmax(is_stay, axis=1))
        now = self.labels[rows, place]
        later = np.where(is_stay & ~is_begun & (self.labels != now[:, None]), self.begins, NEVER).min(axis=1)
        due = since + np.where(later < NEVER, later, 0)
        return now, np.where(later < NEVER, -(-due // QUARTER_MICROS) * QUARTER_MICROS, NEVER)


def stays(groups: Sequence[Group], mean: float, deviation: float, others: Array) -> Stays:
    """The path of each row.

    groups: their first column is ln(1 + days since). mean, deviation: of that column. others: rows x the other columns, scaled.
    """
    if deviation <= 0:  # nobody's days told anything at training
        costs = [one.cost(np.column_stack([np.zeros(len(others)), others])) for one in groups]
        return Stays(np.zeros((len(others), 1), np.int64), np.argmin(costs, axis=0)[:, None])
    curves = [_Curve.of(one, others) for one in groups]
    first, last = ((np.log1p(days) - mean) / deviation for days in (0.0, _MOST_DAYS))
    pairs = [(one, other) for place, one in enumerate(curves) for other in curves[:place]]
    roots = [root for one, other in pairs for root in one.meets(other)]
    ends = [np.full(len(others), end) for end in (first, last)]
    edges = np.sort(np.clip(np.column_stack([*ends, *roots]), first, last), axis=1)
    begins, labels = edges[:, :-1], _cheapest(curves, (edges[:, :-1] + edges[:, 1:]) / 2)
    labels = _without_nothing(labels, np.diff(edges, axis=1) * deviation <= _NOTHING)
    is_kept = _lasts(labels, begins, LEAST_STAY / deviation)
    days = np.expm1(mean + deviation * begins)
    micros = np.ceil(days * DAY_MICROS).astype(np.int64)
    return Stays(np.where(is_kept, micros, NEVER), labels)


@dataclass(frozen=True)
class _Curve:
    """square x^2 + slope x + level, of each row."""

    square: float
    slope: Array
    level: Array

    @classmethod
    def of(cls, group: Group, others: Array) -> "_Curve":
        factor = np.array(group.factor) if group.factor else np.eye(len(group.centre))
        apart = np.column_stack([np.zeros(len(others)), others]) - np.array(group.centre)
        rest = [_weighted(row, apart.T) for row in factor]  # what F makes of the row at x = 0
        by_time = factor[:, 0]
        return cls(float((by_time**2).sum()), 2 * _weighted(by_time, rest), _weighted(rest, rest) + group.offset)

    def cost(self, x: Array) -> Array:
        return np.asarray((self.square * x + self.slope[:, None]) * x + self.level[:, None])

    def meets(self, other: "_Curve") -> list[Array]:
        """Where both cost the same: two roots, infinite where there is none."""
        a, b, c = self.square - other.square, self.slope - other.slope, self.level - other.level
        with np.errstate(divide="ignore", invalid="ignore"):
            # Of the two forms of the quadratic formula, the one that does not subtract like numbers.
            q = -(b + np.copysign(np.sqrt(b * b - 4 * a * c), b)) / 2
            roots = q / a, c / q
        return [np.where(np.isfinite(root), root, np.inf) for root in roots]


def _weighted(weights: Iterable[float | Array], columns: Iterable[Array]) -> Array:
    """The sum, one by one: by BLAS a row would have another last bit in other company."""
    return np.asarray(functools.reduce(np.add, (w * column for w, column in zip(weights, columns, strict=True))))


def _cheapest(curves: Sequence[_Curve], x: Array) -> Labels:
    """Number of the curve of least cost, the first of several, at each x."""
    least, labels = curves[0].cost(x), np.zeros(x.shape, np.int_)
    for number, curve in enumerate(curves[1:], 1):
        cost = curve.cost(x)
        labels[cost < least] = number
        least = np.minimum(cost, least)
    return labels


def _without_nothing(labels: Labels, is_nothing: NDArray[np.bool_]) -> Labels:
    """Intervals of no length are as the one before, and those at the beginning as the one after."""
    told = labels.copy()
    for place in range(told.shape[1] - 2, -1, -1):
        told[:, place] = np.where(is_nothing[:, place], told[:, place + 1], told[:, place])
    for place in range(1, told.shape[1]):
        told[:, place] = np.where(is_nothing[:, place], told[:, place - 1], told[:, place])
    return told


def _lasts(labels: Labels, begins: Array, least: float) -> NDArray[np.bool_]:
    """Whether an interval is the first of a stay, and the stay lasts."""
    is_first = np.ones(labels.shape, bool)
    is_first[:, 1:] = labels[:, 1:] != labels[:, :-1]
    is_kept, over = np.zeros(labels.shape, bool), np.full(len(labels), np.inf)
    for place in range(labels.shape[1] - 1, -1, -1):
        is_kept[:, place] = is_first[:, place] & (over - begins[:, place] >= least)
        over = np.where(is_first[:, place], begins[:, place], over)
    return is_kept

"""Shapley values: what each feature adds to an answer, from that of a usual row to that of a row, what features do together shared fairly.

Of the answer v(S), where the features in S are the row's and the others the usual's, a feature has the mean of v(S + feature) - v(S) over all orders in
which features may come to be the row's (Lundberg and Lee, A unified approach to interpreting model predictions, 2017, with one background row). They sum
to v(all) - v(none).

    a sum of trees    exact. A leaf is reached by S if it has all features A by which only the row goes there, and none of B, by which only
                      the usual does; of its value each of A has (|A|-1)! |B|! / (|A|+|B|)!, each of B less |A|! (|B|-1)! / (|A|+|B|)!
    anything else     the mean over orders, drawn once and each taken forwards and backwards, which is exact where no more than two features act
                      together. Each order adds up by itself, so the mean does

Plain arrays and no BLAS: what a row is told is the same to the last bit, whoever else is there.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.models.trees import Trees

Array = NDArray[np.float64]
Order = NDArray[np.intp]
Walk = Callable[[Order], Array]
"""Of an order of the features: rows x (features + 1) answers, as one after the other comes to be the row's, from none to all."""

PAIRS: Final = 16
PAIRS_OF_CURVE: Final = 2  # what a chord leaves is small
SEED: Final = 20170525  # one draw for all models: whoever explains a row explains it alike
ROWS_AT_ONCE: Final = 256  # what is held at once: that many times the leaves they come to
_ROW, _USUAL = 1, 2


def orders(features: int, pairs: int) -> list[Order]:
    """Orders of so many features, each followed by itself backwards; the same at every call."""
    random = np.random.default_rng(SEED)
    drawn = [random.permutation(features) for _ in range(pairs)]
    return [order for one in drawn for order in (one, one[::-1])]


def sampled(walk: Walk, features: int, pairs: int) -> Array:
    """Rows x features: the mean step of each feature over the orders."""
    steps = [np.diff(walk(order), axis=1)[:, np.argsort(order)] for order in orders(features, pairs)]
    return np.asarray(functools.reduce(np.add, steps) / len(steps))


def of_curve(walk: Walk, curve: Callable[[Array], Array], of_sum: Array, pairs: int) -> Array:
    """Rows x features: of a curve over what `walk` walks along, whose own exact values are `of_sum`.

    The chord of the curve is explained exactly and what is left of it by the mean over the orders, of which far less is left to chance.
    """
    features = of_sum.shape[1]
    ends = walk(np.arange(features))[:, [0, -1]]
    rise, run = np.diff(curve(ends), axis=1), np.diff(ends, axis=1)
    chord = np.divide(rise, run, out=np.zeros_like(rise), where=np.abs(run) > 1e-9)

    def left(order: Order) -> Array:
        along = walk(order)
        return curve(along) - chord * along

    return sampled(left, features, pairs) + chord * of_sum


def in_parts(rows: NDArray[np.floating[Any]], explained: Callable[[NDArray[np.floating[Any]]], Array]) -> Array:
    """`explained` of all rows, some at once."""
    parts = [explained(rows[at : at + ROWS_AT_ONCE]) for at in range(0, len(rows), ROWS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros_like(rows, dtype=np.float64)


def met(trees: Trees, rows: NDArray[np.floating[Any]], usual: NDArray[np.floating[Any]]) -> "Met":
    """The leaves that rows x features come to, as some of the features are the row's and others the usual's.

    Where row and usual part, both ways are taken: the row's with the feature, the usual's without it. Below, that feature goes its way.
    """
    row, node = np.repeat(np.arange(len(rows)), len(trees.roots)), np.tile(trees.roots, len(rows))
    feature, side = np.zeros((len(row), 0), dtype=np.intp), np.zeros((len(row), 0), dtype=np.int8)
    for _ in range(trees.depth):
        asked, cut = trees.feature[node], trees.threshold[node]
        row_left, usual_left = rows[row, asked] <= cut, usual[asked] <= cut
        held = np.where(feature == asked[:, None], side, 0).max(axis=1, initial=0)
        parts = (row_left != usual_left) & (held == 0) & (trees.left[node] != node)
        is_left = np.where(held == _USUAL, usual_left, row_left)
        ways = np.concatenate([is_left, usual_left[parts]])
        taken = np.concatenate([np.where(parts, _ROW, 0), np.full(int(parts.sum()), _USUAL)]).astype(np.int8)
        row, node, feature, side, asked = (
            np.concatenate([values, values[parts]]) for values in (row, node, feature, side, asked)
        )
        node = np.where(ways, trees.left[node], trees.right[node])
        feature, side = np.column_stack([feature, asked]), np.column_stack([side, taken])
    return Met(
        rows=len(rows),
        row=row,
        value=trees.value[node],
        feature=feature,
        only_row=side == _ROW,
        only_usual=side == _USUAL,
    )


@dataclass(frozen=True, kw_only=True)
class Met:
    """Pairs of row and leaf. Pair x levels: the feature that was asked; only_row, only_usual: whether only the row, or the usual, goes this way by it."""

    rows: int
    row: NDArray[np.intp]
    value: Array
    feature: NDArray[np.intp]
    only_row: NDArray[np.bool_]
    only_usual: NDArray[np.bool_]

    def shapley(self, features: int) -> Array:
        """Exact, of the sum of the leaves: rows x features."""
        brought, kept = self.only_row.sum(axis=1), self.only_usual.sum(axis=1)
        raised, lowered = self._shares
        told = np.where(self.only_row, (self.value * raised[brought, kept])[:, None], 0.0)
        told -= np.where(self.only_usual, (self.value * lowered[brought, kept])[:, None], 0.0)
        place = self.row[:, None] * features + self.feature
        found = np.bincount(place.ravel(), told.ravel(), self.rows * features)
        return np.asarray(found, dtype=np.float64).reshape(self.rows, features)

    def walk(self, order: Order) -> Array:
        """The sum of the leaves along an order, see Walk."""
        steps = len(order)
        rank = np.empty(steps, dtype=np.intp)
        rank[order] = np.arange(steps)
        of_level = rank[self.feature]
        first = np.where(self.only_row, of_level + 1, 0).max(axis=1, initial=0)
        last = np.where(self.only_usual, of_level, steps).min(axis=1, initial=steps)
        is_reached = first <= last
        start, value = self.row[is_reached] * (steps + 2), self.value[is_reached]
        size = self.rows * (steps + 2)
        change = np.bincount(start + first[is_reached], value, size) - np.bincount(
            start + last[is_reached] + 1, value, size
        )
        return np.cumsum(change.reshape(self.rows, steps + 2), axis=1)[:, :-1]

    @functools.cached_property
    def _shares(self) -> tuple[Array, Array]:
        """By |A| and |B| what each of A has, and what each of B takes away."""
        most = self.feature.shape[1] + 1
        raised, lowered = np.zeros((most, most)), np.zeros((most, most))
        for a in range(most):
            for b in range(most):
                if a:
                    raised[a, b] = math.factorial(a - 1) * math.factorial(b) / math.factorial(a + b)
                if b:
                    lowered[a, b] = math.factorial(a) * math.factorial(b - 1) / math.factorial(a + b)
        return raised, lowered

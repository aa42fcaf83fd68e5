"""Boosted trees of two levels for several outputs at once, grown on binned features. Pure; numbers in, numbers out.

A tree asks one feature, then one more on either side, and adds a vector to each of its four leaves: steps and pairs of
features is what effects are made of, and more is not learned from the noise they lie in. The split is the one that lowers
the squared error of all outputs together most (Friedman 2001, Greedy function approximation: a gradient boosting machine).
Leaves are drawn in to 0 by PRIOR_ROWS rows without an effect.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lakehouse.targeting.trees import Split, Tree

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]

LEARNING_RATE = 0.2
PRIOR_ROWS = 20.0
LEAST_IN_LEAF = 20  # rows
LEAST_SHARE_IN_LEAF = 0.01


def grow(codes: Codes, targets: Array, rounds: int) -> Iterator[Tree]:
    """Trees for what the trees before leave of `targets` (rows x outputs), until `rounds`, or until none can be split.

    Args:
        codes: rows x features, column by column in memory. A feature with one code only is never asked.
        targets: with means near 0; the trees do not learn a constant first.
        rounds: trees at most.
    """
    if codes.size == 0:
        return
    histogram = _Histogram(codes)
    rest = targets.copy()
    for _ in range(rounds):
        tree = _tree(codes, rest, histogram)
        if tree is None:
            return
        rest -= np.array(tree.leaves)[tree.leaf_of(codes)]
        yield tree


class _Histogram:
    """Sums over rows by feature and code, as one sparse product; code 0 is what the others leave of the total, so levels cost little."""

    def __init__(self, codes: Codes) -> None:
        rows, features = codes.shape
        self.bins = int(codes.max()) + 1
        by_feature = np.ascontiguousarray(codes.T)
        feature, row = np.nonzero(by_feature)
        places = feature * self.bins + by_feature[feature, row]
        shape = (features * self.bins, rows)
        self._of = sparse.csr_array((np.ones(len(row)), (places, row.astype(np.int32))), shape=shape)
        self.shape = (features, self.bins)
        self.counts: Array = self.sums(np.ones((rows, 1)))[..., 0]

    def sums(self, values: Array) -> Array:
        """Rows x outputs -> features x codes x outputs."""
        sums = np.asarray(self._of @ values).reshape(*self.shape, values.shape[1])
        sums[:, 0] = np.ones(len(values)) @ values - sums.sum(axis=1)  # BLAS sums narrow columns ten times faster
        return sums


def _tree(codes: Codes, rest: Array, histogram: _Histogram) -> Tree | None:
    least = max(LEAST_IN_LEAF, LEAST_SHARE_IN_LEAF * len(codes))
    sums = histogram.sums(rest)
    root = _best(sums, histogram.counts, least)
    if root is None:
        return None
    is_left = (codes[:, root.feature] <= root.code).astype(np.float64)[:, None]
    on_left = histogram.sums(np.hstack([rest * is_left, is_left]))
    halves = ((on_left[..., :-1], on_left[..., -1]), (sums - on_left[..., :-1], histogram.counts - on_left[..., -1]))
    sides, leaves = [], []
    for part, counts in halves:
        side = _best(part, counts, least) or root  # a side of which no split is worth it is one leaf
        sides.append(side)
        leaves += _leaves(part, counts, side)
    return Tree(root=root, sides=(sides[0], sides[1]), leaves=tuple(leaves))


def _best(sums: Array, counts: Array, least: float) -> Split | None:
    """The split that lowers the squared error most; None where no split leaves `least` rows on both sides."""
    left, rows_left = sums.cumsum(axis=1), counts.cumsum(axis=1)
    right, rows_right = left[:, -1:] - left, rows_left[:, -1:] - rows_left
    gain = (left**2).sum(axis=2) / (rows_left + PRIOR_ROWS) + (right**2).sum(axis=2) / (rows_right + PRIOR_ROWS)
    gain[(rows_left < least) | (rows_right < least)] = -1.0
    place = int(gain.argmax())
    if gain.flat[place] < 0:
        return None
    feature, code = divmod(place, sums.shape[1])
    return Split(feature=feature, code=code)


def _leaves(sums: Array, counts: Array, side: Split) -> list[tuple[float, ...]]:
    of_feature, rows = sums[side.feature], counts[side.feature]
    parts = (slice(None, side.code + 1), slice(side.code + 1, None))
    values = (LEARNING_RATE * of_feature[part].sum(axis=0) / (rows[part].sum() + PRIOR_ROWS) for part in parts)
    return [tuple(map(float, value)) for value in values]

"""Decision trees as plain arrays: kept as lists of numbers, applied in numpy to many rows at once.

All trees of a model lie in one list of nodes. A row goes to `left` where its feature is `threshold` or below, else to `right`; a leaf goes to itself.
Which rows come together says nothing about what one of them gets, to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Trees:
    """`roots`: node of each tree. `depth`: steps from a root to its farthest leaf. `value`: of a leaf."""

    feature: NDArray[np.int32]
    threshold: Array
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Array
    roots: NDArray[np.int32]
    depth: int

    @classmethod
    def of(cls, trees: Sequence["Trees"]) -> Self:
        """All of them as one."""
        starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])[:-1]
        return cls(
            feature=np.concatenate([tree.feature for tree in trees]),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=np.concatenate([tree.left + start for tree, start in zip(trees, starts, strict=True)]).astype(
                np.int32
            ),
            right=np.concatenate([tree.right + start for tree, start in zip(trees, starts, strict=True)]).astype(
                np.int32
            ),
            value=np.concatenate([tree.value for tree in trees]),
            roots=np.concatenate([tree.roots + start for tree, start in zip(trees, starts, strict=True)]).astype(
                np.int32
            ),
            depth=max(tree.depth for tree in trees),
        )

    @classmethod
    def one(
        cls, feature: ArrayLike, threshold: ArrayLike, left: ArrayLike, right: ArrayLike, value: ArrayLike,
        is_leaf: ArrayLike, depth: int,
    ) -> Self:  # fmt: skip
        """One tree by its nodes, the root first. What a leaf has for feature, threshold, left and right is passed over."""
        leaf = np.asarray(is_leaf, dtype=bool)
        own = np.arange(len(leaf))
        return cls(
            feature=np.where(leaf, 0, np.asarray(feature)).astype(np.int32),
            threshold=np.where(leaf, 0.0, np.asarray(threshold, dtype=np.float64)),
            left=np.where(leaf, own, np.asarray(left)).astype(np.int32),
            right=np.where(leaf, own, np.asarray(right)).astype(np.int32),
            value=np.where(leaf, np.asarray(value, dtype=np.float64), 0.0),
            roots=np.zeros(1, dtype=np.int32),
            depth=depth,
        )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        whole = {name: np.asarray(parameters[name], dtype=np.int32) for name in ("feature", "left", "right", "roots")}
        return cls(
            feature=whole["feature"],
            threshold=np.asarray(parameters["threshold"], dtype=np.float64),
            left=whole["left"],
            right=whole["right"],
            value=np.asarray(parameters["value"], dtype=np.float64),
            roots=whole["roots"],
            depth=int(parameters["depth"]),
        )

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready."""
        names = ("feature", "threshold", "left", "right", "value", "roots")
        return {name: getattr(self, name).tolist() for name in names} | {"depth": self.depth}

    def sum(self, rows: NDArray[np.floating[Any]]) -> Array:
        """Of each row (rows x features) what the leaves it comes to add up to."""
        parts = [self._sum(rows[at : at + ROWS_AT_ONCE]) for at in range(0, len(rows), ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _sum(self, rows: NDArray[np.floating[Any]]) -> Array:
        return np.asarray(self.value[self.leaves(rows)].sum(axis=1), dtype=np.float64)

    def leaves(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
        """Node of the leaf by row and tree."""
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        each = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            is_left = rows[each, self.feature[node]] <= self.threshold[node]
            node = np.where(is_left, self.left[node], self.right[node])
        return node

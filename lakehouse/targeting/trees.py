"""Trees of two levels with several outputs, over codes: a tree asks one feature, then one more on either side. Pure; numbers in, numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Left where the feature's code is `code` or below."""

    feature: int
    code: int


@dataclass(frozen=True, kw_only=True)
class Tree:
    """`sides`: the split of the left side and of the right one. `leaves`: left-left, left-right, right-left, right-right."""

    root: Split
    sides: tuple[Split, Split]
    leaves: tuple[tuple[float, ...], ...]

    def leaf_of(self, codes: Codes) -> NDArray[np.int64]:
        """Of every row: 0 to 3."""
        is_right = codes[:, self.root.feature] > self.root.code
        left, right = (codes[:, side.feature] > side.code for side in self.sides)
        return 2 * is_right.astype(np.int64) + np.where(is_right, right, left)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        splits = [Split(feature=int(feature), code=int(code)) for feature, code in parameters["splits"]]
        leaves = tuple(tuple(leaf) for leaf in parameters["leaves"])
        return cls(root=splits[0], sides=(splits[1], splits[2]), leaves=leaves)

    def to_parameters(self) -> dict[str, Any]:
        splits = [[split.feature, split.code] for split in (self.root, *self.sides)]
        return {"splits": splits, "leaves": [list(leaf) for leaf in self.leaves]}


def apply(trees: Sequence[Tree], codes: Codes, outputs: int) -> Array:
    """Sum of the trees' leaves: rows x outputs."""
    total = np.zeros((len(codes), outputs))
    for tree in trees:
        total += np.array(tree.leaves)[tree.leaf_of(codes)]
    return total

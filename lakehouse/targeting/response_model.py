"""What a model says of people: a constant, a line over features and pairs of them, and trees over codes. Learned by lakehouse/uplift/contenders.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lakehouse.targeting.trees import Tree, apply

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class People:
    """Features of rows as a model reads them: see `Encoding`."""

    line: Array
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, rows: NDArray[Any]) -> "People":
        return People(line=self.line[rows], codes=np.asfortranarray(self.codes[rows]))


@dataclass(frozen=True, kw_only=True)
class ResponseModel:
    """constant + (columns, products of pairs) @ weights + trees: of every output. `weights`: (columns and pairs) x outputs."""

    constant: Array
    pairs: Pairs
    weights: Array
    trees: tuple[Tree, ...]

    def of(self, people: People) -> Array:
        """Rows x outputs."""
        straight = by_row(with_pairs(people.line, self.pairs), self.weights)
        return np.asarray(self.constant + straight + apply(self.trees, people.codes, len(self.constant)))

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        constant = np.array(parameters["constant"], dtype=np.float64)
        return cls(
            constant=constant,
            pairs=tuple((int(one), int(other)) for one, other in parameters["pairs"]),
            weights=np.array(parameters["weights"], dtype=np.float64).reshape(-1, len(constant)),
            trees=tuple(Tree.from_parameters(tree) for tree in parameters["trees"]),
        )

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "constant": self.constant.tolist(),
            "pairs": [list(pair) for pair in self.pairs],
            "weights": self.weights.tolist(),
            "trees": [tree.to_parameters() for tree in self.trees],
        }


def by_row(rows: Array, weights: Array) -> Array:
    """Multiply, rows @ weights, to the same last bit whatever rows there are besides: BLAS adds in an order that their number decides.

    A rebuild of all people must find the arm that a micro-batch of few has found.
    """
    total = np.zeros((len(rows), weights.shape[1]))
    for column, weight in zip(rows.T, weights, strict=True):
        total += column[:, None] * weight
    return total


def with_pairs(line: Array, pairs: Pairs) -> Array:
    if not pairs:
        return line
    one, other = np.array(pairs).T
    return np.hstack([line, line[:, one] * line[:, other]])

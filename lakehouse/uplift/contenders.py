"""What a model says of people (lakehouse/targeting/response_model.py), learned: a blend of contenders.

One fit gives all contenders, from plain to detailed: a constant, lines with less and less ridge, without and with products of
two columns, trees of more and more rounds. How they are blended is not decided here but by rows that none has seen, see
`chain.py`. A blend is one constant, one line and one set of trees again.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lakehouse.targeting.response_model import Pairs, People, ResponseModel, with_pairs
from lakehouse.targeting.trees import Tree, apply
from lakehouse.uplift.tree_growth import grow

Array = NDArray[np.float64]

RIDGE_SHARES = (1.0, 0.1, 0.01)  # of the rows: 1 halves the slope of a scaled column that stands alone
PAIRED = 12  # columns whose products are looked at: those that go with the target most
ROUNDS = (4, 8, 15, 30)  # of trees
CONTENDERS = 1 + 2 * len(RIDGE_SHARES) + len(ROUNDS)
KINDS = {
    "the same for everybody": slice(0, 1),
    "a line": slice(1, 1 + len(RIDGE_SHARES)),
    "a line with pairs": slice(1 + len(RIDGE_SHARES), 1 + 2 * len(RIDGE_SHARES)),
    "trees": slice(1 + 2 * len(RIDGE_SHARES), CONTENDERS),
}
UNJUDGED: Array = np.eye(CONTENDERS)[1]  # the blend while nothing is foretold yet: the line with most ridge


@dataclass(frozen=True, kw_only=True)
class Contenders:
    """Of one fit, from plain to detailed. `lines`: constant and weights of each; flat where a line has no pairs."""

    constant: Array
    pairs: Pairs
    lines: tuple[tuple[Array, Array], ...]
    trees: tuple[Tree, ...]

    def each(self, people: People) -> Array:
        """Contenders x rows x outputs: what each says."""
        straight = with_pairs(people.line, self.pairs)
        said = [np.tile(self.constant, (len(people), 1))]
        said += [constant + straight @ weights for constant, weights in self.lines]
        total, done = said[0], 0
        for rounds in ROUNDS:
            total = total + apply(self.trees[done:rounds], people.codes, len(self.constant))
            done = rounds
            said.append(total)
        return np.stack(said)

    def blend(self, shares: Array) -> ResponseModel:
        """The one model that says the sum of what each contender says times its share."""
        constant = self.constant * (shares[KINDS["the same for everybody"]].sum() + shares[KINDS["trees"]].sum())
        weights = np.zeros_like(self.lines[0][1])
        for share, (of_line, slopes) in zip(shares[1:], self.lines, strict=False):
            constant, weights = constant + share * of_line, weights + share * slopes
        of_rounds = shares[KINDS["trees"]]
        scale = [float(of_rounds[np.array(ROUNDS) > place].sum()) for place in range(len(self.trees))]
        trees = (
            replace(tree, leaves=tuple(tuple(share * output for output in leaf) for leaf in tree.leaves))
            for tree, share in zip(self.trees, scale, strict=True)
            if share > 0
        )
        return ResponseModel(constant=constant, pairs=self.pairs, weights=weights, trees=tuple(trees))


def kinds(shares: Array) -> dict[str, float]:
    """What a blend is made of, in words: its kinds of contenders with their shares of the whole, those that have one."""
    total = float(shares.sum()) or 1.0
    by_kind = {kind: float(shares[places].sum()) / total for kind, places in KINDS.items()}
    return {kind: share for kind, share in by_kind.items() if share > 0}


def fit(people: People, targets: Array) -> Contenders:
    """All contenders of `targets` (rows x outputs), by least squares."""
    constant = targets.mean(axis=0)
    rest = targets - constant
    pairs = _pairs(people.line, rest)
    straight = with_pairs(people.line, pairs)
    columns = people.line.shape[1]
    plain, paired = _lines(straight[:, :columns], rest, constant), _lines(straight, rest, constant)
    flat = np.zeros((len(pairs), len(constant)))
    return Contenders(
        constant=constant,
        pairs=pairs,
        lines=(*((middle, np.vstack([weights, flat])) for middle, weights in plain), *paired),
        trees=tuple(grow(people.codes, rest, ROUNDS[-1])),
    )


def _pairs(line: Array, rest: Array) -> Pairs:
    centred = line - line.mean(axis=0)
    together = np.abs(centred.T @ rest).sum(axis=1)
    return tuple(combinations(sorted(int(column) for column in np.argsort(-together, kind="stable")[:PAIRED]), 2))


def _lines(straight: Array, rest: Array, constant: Array) -> list[tuple[Array, Array]]:
    """Ridge regressions through the middle of the rows."""
    rows, columns = straight.shape
    middle = straight.mean(axis=0)
    centred = straight - middle
    squares, products = centred.T @ centred, centred.T @ rest
    slopes = [np.linalg.solve(squares + share * rows * np.eye(columns), products) for share in RIDGE_SHARES]
    return [(constant - middle @ weights, weights) for weights in slopes]

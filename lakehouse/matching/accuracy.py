"""How well a grouping of records agrees with the truth. Both are sequences of labels, one per record."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Shares in 0..1; precision is 1 where no two records are together, recall where no two should be."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def pairwise(found: Sequence[Hashable], truth: Sequence[Hashable]) -> Scores:
    """Over pairs of records: of those put together the right ones, and of those that belong together the found ones."""
    right = _pairs(_both(found, truth))
    together, belonging = _pairs(_codes(found)), _pairs(_codes(truth))
    return Scores(precision=right / together if together else 1.0, recall=right / belonging if belonging else 1.0)


def b_cubed(found: Sequence[Hashable], truth: Sequence[Hashable]) -> Scores:
    """The mean over records (Bagga and Baldwin 1998): of its group the share that belongs to it, and the reverse."""
    cell, group, person = _both(found, truth), _codes(found), _codes(truth)
    if len(cell) == 0:
        return Scores(precision=1.0, recall=1.0)
    right = np.bincount(cell)[cell]
    precision = float(np.mean(right / np.bincount(group)[group]))
    recall = float(np.mean(right / np.bincount(person)[person]))
    return Scores(precision=precision, recall=recall)


def largest(found: Sequence[Hashable]) -> int:
    """Records of the largest group."""
    return int(np.bincount(_codes(found)).max(initial=0))


def _codes(labels: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    # None is a label, too: of the records that carry it.
    codes = pd.factorize(pd.Series(list(labels), dtype=object), use_na_sentinel=False)[0]
    return np.asarray(codes, dtype=np.int64)


def _both(found: Sequence[Hashable], truth: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    one, other = _codes(found), _codes(truth)
    return np.asarray(pd.factorize(one * (other.max(initial=0) + 1) + other)[0], dtype=np.int64)


def _pairs(codes: npt.NDArray[np.int64]) -> int:
    sizes = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())

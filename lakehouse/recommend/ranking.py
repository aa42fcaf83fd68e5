"""How good ranked lists are, per person: Recall and NDCG at k with binary relevance.

Recall@k is hits / min(k, relevant), so that a perfect list has 1 whatever k; NDCG@k discounts the hit at place p by
1 / log2(p + 1) and divides by what the best order would have (Jarvelin and Kekalainen, ACM TOIS 2002).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
K = 20
_BLOCKS = 128


def best(scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Positions of the `count` largest scores above -infinity, largest first; of equal scores the first position."""
    count = min(count, len(scores))
    if count <= 0:
        return np.empty(0, dtype=np.intp)
    bound = _at_most_the_last(scores, count)
    above = np.flatnonzero(scores > bound)
    missing = max(count - len(above), 0) if bound > -np.inf else 0
    chosen = np.concatenate([above, np.flatnonzero(scores == bound)[:missing]]) if missing else above
    order = np.lexsort((chosen, -scores[chosen]))
    return chosen[order[:count]]


def _at_most_the_last(scores: NDArray[np.floating], count: int) -> float:
    """A score that `count` positions reach, and not many more: that of the `count`-th best of so many blocks' best.

    Finding the `count`-th largest score itself takes ten times as long, most of all where many are equal.
    """
    blocks = min(_BLOCKS, len(scores))
    if count > blocks // 2:
        return float(np.partition(scores, len(scores) - count)[len(scores) - count])
    width = len(scores) // blocks
    highest = scores[: blocks * width].reshape(blocks, width).max(axis=1)
    return float(np.partition(highest, blocks - count)[blocks - count])


def recall(ranked: NDArray[np.intp], relevant: NDArray[np.intp], k: int = K) -> float:
    """0..1. `relevant`: at least one position."""
    return float(np.isin(ranked[:k], relevant).sum()) / min(k, len(relevant))


def ndcg(ranked: NDArray[np.intp], relevant: NDArray[np.intp], k: int = K) -> float:
    """0..1. `relevant`: at least one position."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    hits = np.isin(ranked[:k], relevant)
    return float(discounts[: len(hits)][hits].sum() / discounts[: min(k, len(relevant))].sum())

"""How good ranked lists are, per person: Recall and NDCG at k with binary relevance.

Recall@k is hits / min(k, relevant), so that a perfect list has 1 whatever k; NDCG@k discounts the hit at place p by
1 / log2(p + 1) and divides by what the best order would have (Jarvelin and Kekalainen, ACM TOIS 2002).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
K = 20


def best(scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Positions of the `count` largest scores above -infinity, largest first; of equal scores the first position."""
    count = min(count, len(scores))
    if count <= 0:
        return np.empty(0, dtype=np.intp)
    last = len(scores) - count
    bound = scores[np.argpartition(scores, last)[last]]  # np.partition takes ten times as long where many are equal
    above = np.flatnonzero(scores > bound)
    level = np.flatnonzero(scores == bound)[: count - len(above)] if bound > -np.inf else above[:0]
    chosen = np.concatenate([above, level])
    order = np.lexsort((chosen, -scores[chosen]))
    return chosen[order]


def recall(ranked: NDArray[np.intp], relevant: NDArray[np.intp], k: int = K) -> float:
    """0..1. `relevant`: at least one position."""
    return float(np.isin(ranked[:k], relevant).sum()) / min(k, len(relevant))


def ndcg(ranked: NDArray[np.intp], relevant: NDArray[np.intp], k: int = K) -> float:
    """0..1. `relevant`: at least one position."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    hits = np.isin(ranked[:k], relevant)
    return float(discounts[: len(hits)][hits].sum() / discounts[: min(k, len(relevant))].sum())

"""How good and how steady clusters are. Pure numpy; equal to scikit-learn's figures, which the tests compare with.

Davies-Bouldin   mean over clusters of the largest (s_i + s_j) / d_ij: s the mean distance to one's own centre, d the distance of two centres. Lower
                 is better (Davies and Bouldin, 1979)
adjusted Rand    how far two groupings of the same rows agree beyond chance: 1 the same, 0 as by chance (Hubert and Arabie, 1985)
stability        mean adjusted Rand of groupings learned from random halves of the rows, on all of them (Ben-Hur, Elisseeff and Guyon, 2002)
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int_]
HALVES: Final = 6  # learned from; 15 pairs


def davies_bouldin(points: Array, labels: Labels) -> float:
    """Rows x columns, and the cluster of each row. Raises ValueError for fewer than two clusters."""
    names = np.unique(labels)
    if len(names) < 2:
        raise ValueError(f"davies_bouldin: got {len(names)} clusters, expected two or more")
    centres = np.array([points[labels == name].mean(axis=0) for name in names])
    spread = np.array(
        [
            np.linalg.norm(points[labels == name] - centre, axis=1).mean()
            for name, centre in zip(names, centres, strict=True)
        ]
    )
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread[None]) / apart).max(axis=1).mean())


def adjusted_rand(one: Labels, other: Labels) -> float:
    """1.0 where both put all rows together, or each row alone."""
    table = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: Array) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, first, second, every = (
        pairs(table),
        pairs(table.sum(axis=1)),
        pairs(table.sum(axis=0)),
        pairs(np.array([len(one)])),
    )
    by_chance, most = first * second / every, (first + second) / 2
    return 1.0 if most == by_chance else (both - by_chance) / (most - by_chance)


def stability(points: Array, k: int, seed: int) -> float:
    """Of K-means with that many clusters. 2 k rows or more."""
    from sklearn.cluster import KMeans  # a second, which only a training should wait for

    random = np.random.default_rng(seed)
    groupings = []
    for number in range(HALVES):
        half = random.permutation(len(points))[: max(k, len(points) // 2)]
        model = KMeans(n_clusters=k, n_init=4, random_state=seed + number).fit(points[half])
        groupings.append(np.asarray(model.predict(points), dtype=np.int_))
    return float(np.mean([adjusted_rand(groupings[i], groupings[j]) for i in range(HALVES) for j in range(i)]))

"""How good and how steady clusters are. Pure numpy; equal to scikit-learn's figures, which the tests compare with.

silhouette       mean over rows of (b - a) / max(a, b): a the mean squared distance to the others of one's own cluster, b to those of the nearest
                 other one; 0 of who is alone. Higher is better (Rousseeuw, 1987). By sums over clusters, as MLlib does it, so that no two rows are compared
Davies-Bouldin   mean over clusters of the largest (s_i + s_j) / d_ij: s the mean distance to one's own centre, d the distance of two centres. Lower
                 is better (Davies and Bouldin, 1979)
adjusted Rand    how far two groupings of the same rows agree beyond chance: 1 the same, 0 as by chance (Hubert and Arabie, 1985)
stability        mean adjusted Rand of groupings learned from random halves of the rows, on all of them (Ben-Hur, Elisseeff and Guyon, 2002)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

Array = NDArray[np.float64]
Labels = NDArray[np.int_]
LabelsOf = Callable[[Array, int, int, Array], Labels]
"""Learned from points, with so many clusters and a seed: the clusters of others."""
HALVES: Final = 6  # learned from; 15 pairs
STARTS: Final = 4


def kmeans(points: Array, k: int, seed: int) -> "KMeans":
    """Of scikit-learn, the best of STARTS."""
    from sklearn.cluster import KMeans  # a second, which only a training should wait for

    return KMeans(n_clusters=k, n_init=STARTS, random_state=seed).fit(points)


def silhouette(points: Array, labels: Labels) -> float:
    """On squared Euclidean distances, -1..1. Raises ValueError for fewer than two clusters."""
    names, own = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"silhouette: got {len(names)} clusters, expected two or more")
    squares, count = (points**2).sum(axis=1), np.bincount(own).astype(float)
    sums = np.array([np.bincount(own, column) for column in points.T])
    # Sum of |x - y|^2 over a cluster is n |x|^2 - 2 x.(sum of y) + (sum of |y|^2).
    apart = np.maximum(0.0, count * squares[:, None] - 2 * points @ sums + np.bincount(own, squares))
    rows, alone = np.arange(len(points)), count[own] == 1
    within = apart[rows, own] / np.maximum(1, count[own] - 1)
    others = apart / count
    others[rows, own] = np.inf
    beside = others.min(axis=1)
    found = np.divide(beside - within, np.maximum(within, beside), out=np.zeros(len(points)), where=beside + within > 0)
    return float(np.where(alone, 0.0, found).mean())


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


def stability(points: Array, k: int, seed: int, labels_of: LabelsOf) -> float:
    """Of groups learned with that many clusters. 2 k rows or more."""
    random = np.random.default_rng(seed)
    groupings = []
    for number in range(HALVES):
        half = random.permutation(len(points))[: max(k, len(points) // 2)]
        groupings.append(labels_of(points[half], k, seed + number, points))
    return float(np.mean([adjusted_rand(groupings[i], groupings[j]) for i in range(HALVES) for j in range(i)]))

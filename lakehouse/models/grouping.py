"""A way to put points into groups, as plain arrays, and the ways it is learned: pure numpy, but for scikit-learn in a training.

    kmeans      the nearest of k centres; the best of several starts
    bisecting   the same of centres that came of halving the widest group, again and again: a hierarchy, cut at k
    mixture     the likeliest of k Gaussians, each of its own shape and size (Dempster, Laird and Rubin, 1977)

All are one rule: the group of least cost |F (x - centre)|^2 + offset, the first of several. F is the identity and offset 0 where centres alone decide. Of a Gaussian F
is what makes its covariance the identity, and offset -2 ln(weight / sqrt(|covariance|)).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lakehouse.models.cluster_quality import Array, Labels, LabelsOf, kmeans

KMEANS: Final = "kmeans"
BISECTING: Final = "bisecting"
MIXTURE: Final = "mixture"
_LEAST_SPREAD: Final = (
    1e-3  # added to variances, in units of the whole's: many people have one order, which is no spread at all
)
_ROUNDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class Group:
    """factor: rows of F; () = the identity."""

    centre: tuple[float, ...]
    factor: tuple[tuple[float, ...], ...] = ()
    offset: float = 0.0

    def cost(self, points: Array) -> Array:
        apart = points - np.array(self.centre)
        if self.factor:
            apart = apart @ np.array(self.factor).T
        return np.asarray((apart**2).sum(axis=1) + self.offset, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """weights: share of the points that a mixture gives each group; () = of another kind."""

    kind: str
    groups: tuple[Group, ...]
    weights: tuple[float, ...] = ()

    def labels(self, points: Array) -> Labels:
        """Number of the group of each row."""
        return np.asarray(np.argmin([one.cost(points) for one in self.groups], axis=0), dtype=np.int_)


Learn = Callable[[Array, int, int], Grouping]
"""Of points, how many groups, and a seed. As many points or more."""


def _of_centres(kind: str, centres: Any) -> Grouping:
    return Grouping(kind=kind, groups=tuple(Group(centre=tuple(map(float, centre))) for centre in centres))


def _kmeans(points: Array, k: int, seed: int) -> Grouping:
    return _of_centres(KMEANS, kmeans(points, k, seed).cluster_centers_)


def _bisecting(points: Array, k: int, seed: int) -> Grouping:
    from sklearn.cluster import BisectingKMeans  # a second, which only a training should wait for

    return _of_centres(BISECTING, BisectingKMeans(k, n_init=2, random_state=seed).fit(points).cluster_centers_)


def _mixture(points: Array, k: int, seed: int) -> Grouping:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(k, reg_covar=_LEAST_SPREAD, max_iter=_ROUNDS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # so many rounds are the budget; its figures say what they are worth
        model.fit(points)
    groups = tuple(
        Group(
            centre=tuple(map(float, mean)),
            factor=tuple(tuple(map(float, row)) for row in whitening.T),
            offset=float(-2 * (np.log(weight) + np.log(np.diag(whitening)).sum())),
        )
        for mean, whitening, weight in zip(model.means_, model.precisions_cholesky_, model.weights_, strict=True)
    )
    return Grouping(kind=MIXTURE, groups=groups, weights=tuple(map(float, model.weights_)))


LEARNED: Final[Mapping[str, Learn]] = {KMEANS: _kmeans, BISECTING: _bisecting, MIXTURE: _mixture}
"""The plainest first: of those that are as good it is taken."""


def labels_by(kind: str) -> LabelsOf:
    """Groups of this kind, learned from some points: those of others."""

    def labels(points: Array, k: int, seed: int, others: Array) -> Labels:
        return LEARNED[kind](points, k, seed).labels(others)

    return labels

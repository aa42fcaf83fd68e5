"""How many segments, and where they lie: K-means for every k of segments.min_k..max_k on a sample of the profiles, on the driver. Pure.

Of those whose groups come out the same from half of the profiles (stability of segments.min_stability or more) the best silhouette wins, and of those that are as
good but for NEAR the smallest k: fewer segments are easier to work with. Where none is so steady, the steadiest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lakehouse.config import SegmentsConfig
from lakehouse.errors import ModelError
from lakehouse.models.cluster_quality import Array, davies_bouldin, kmeans, silhouette, stability
from lakehouse.models.one_thread import one_thread

NEAR: Final = 0.01  # of silhouette


@dataclass(frozen=True, kw_only=True)
class Count:
    """The k chosen with its centres, and the figures of every k tried: see lakehouse/models/cluster_quality.py."""

    k: int
    centres: tuple[tuple[float, ...], ...]
    silhouettes: Mapping[int, float]
    davies_bouldin: Mapping[int, float]
    stability: Mapping[int, float]

    def table(self) -> str:
        """For a person."""
        told = {"silhouette": self.silhouettes, "davies-bouldin": self.davies_bouldin, "stability": self.stability}
        return "\n".join(
            f"{name} by k: {', '.join(f'{k}: {value:.3f}' for k, value in of.items())}" for name, of in told.items()
        )

    def unsteady(self, least: float) -> str | None:
        """Why half of the profiles would give other segments; None = they would not."""
        found = self.stability[self.k]
        return (
            None
            if found >= least
            else f"half of the profiles give other groups: stability {found:.3f}, expected {least:g} or more"
        )

    def metrics(self) -> dict[str, float]:
        """For the registry."""
        of_all = {f"silhouette_k{k}": value for k, value in self.silhouettes.items()}
        return of_all | {
            "silhouette": self.silhouettes[self.k],
            "davies_bouldin": self.davies_bouldin[self.k],
            "stability": self.stability[self.k],
        }


def choose(points: Array, settings: SegmentsConfig) -> Count:
    """`points`: profiles x columns, each in units of its deviation.

    Raises:
        ModelError: the profiles are too alike for min_k clusters.
    """
    distinct = len(np.unique(points, axis=0))
    most = min(settings.max_k, distinct - 1)
    if most < settings.min_k:
        raise ModelError(
            f"train_segments: profiles too alike, got {distinct} different ones, expected more than "
            f"segments.min_k = {settings.min_k}. Lower segments.min_k or wait for more orders"
        )
    tried = range(settings.min_k, most + 1)
    with one_thread():
        models = {k: kmeans(points, k, settings.seed) for k in tried}
        steady = {k: stability(points, k, settings.seed) for k in tried}
    labels = {k: np.asarray(model.labels_, dtype=np.int_) for k, model in models.items()}
    silhouettes = {k: silhouette(points, labels[k]) for k in tried}
    k = best_k(silhouettes, steady, settings.min_stability)
    return Count(
        k=k,
        centres=tuple(tuple(map(float, centre)) for centre in models[k].cluster_centers_),
        silhouettes=silhouettes,
        davies_bouldin={k: davies_bouldin(points, labels[k]) for k in tried},
        stability=steady,
    )


def best_k(silhouettes: Mapping[int, float], steady: Mapping[int, float], min_stability: float) -> int:
    """The smallest k among the steady whose silhouette is the best, or near it; where none is steady enough, the steadiest."""
    enough = [k for k in silhouettes if steady[k] >= min_stability]
    if enough:
        best = max(silhouettes[k] for k in enough)
        return min(k for k in enough if silhouettes[k] >= best - NEAR)
    return max(steady, key=lambda k: (steady[k], -k))

"""How many segments, of which kind, and where they lie: every kind of lakehouse/models/grouping.py for every k of segments.min_k..max_k on a sample of the profiles, on the
driver. Pure.

Of those whose groups come out the same from half of the profiles (stability of segments.min_stability or more) the best silhouette wins. Of those that are as good but for
NEAR the fewest segments do, which are easier to work with, and then the plainest kind. Where none is so steady, the steadiest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lakehouse.config import SegmentsConfig
from lakehouse.errors import ModelError
from lakehouse.models.cluster_quality import Array, davies_bouldin, silhouette, stability
from lakehouse.models.grouping import LEARNED, Grouping, labels_by
from lakehouse.models.one_thread import one_thread

NEAR: Final = 0.01  # of silhouette


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Of one kind by k: see lakehouse/models/cluster_quality.py. A k of which a group is empty is left out."""

    silhouettes: Mapping[int, float]
    davies_bouldin: Mapping[int, float]
    stability: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class Count:
    """The grouping that was chosen, and the figures of all that were tried, by kind."""

    k: int
    grouping: Grouping
    tried: Mapping[str, Quality]

    @property
    def chosen(self) -> Quality:
        """Of the kind that was chosen."""
        return self.tried[self.grouping.kind]

    def table(self) -> str:
        """For a person."""
        lines = [self.chosen_line()]
        for kind, of_kind in self.tried.items():
            told = {
                "silhouette": of_kind.silhouettes,
                "davies-bouldin": of_kind.davies_bouldin,
                "stability": of_kind.stability,
            }
            for name, of in told.items():
                lines.append(f"{kind} {name} by k: {', '.join(f'{k}: {value:.3f}' for k, value in of.items())}")
        return "\n".join(lines)

    def chosen_line(self) -> str:
        of, k = self.chosen, self.k
        return (
            f"chosen: {self.grouping.kind} with {k}: silhouette {of.silhouettes[k]:.3f}, davies-bouldin {of.davies_bouldin[k]:.3f}, "
            f"stability {of.stability[k]:.3f}"
        )

    def unsteady(self, least: float) -> str | None:
        """Why half of the profiles would give other segments; None = they would not."""
        found = self.chosen.stability[self.k]
        return (
            None
            if found >= least
            else f"half of the profiles give other groups: stability {found:.3f}, expected {least:g} or more"
        )

    def metrics(self) -> dict[str, float]:
        """For the registry."""
        of_all = {
            f"silhouette_{kind}_k{k}": value
            for kind, of_kind in self.tried.items()
            for k, value in of_kind.silhouettes.items()
        }
        return of_all | {
            "silhouette": self.chosen.silhouettes[self.k],
            "davies_bouldin": self.chosen.davies_bouldin[self.k],
            "stability": self.chosen.stability[self.k],
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
    learned: dict[tuple[str, int], Grouping] = {}
    tried: dict[str, Quality] = {}
    with one_thread():
        for kind, learn in LEARNED.items():
            found = {k: learn(points, k, settings.seed) for k in range(settings.min_k, most + 1)}
            labels = {k: one.labels(points) for k, one in found.items()}
            whole = {k: one for k, one in labels.items() if len(np.unique(one)) == k}
            learned |= {(kind, k): found[k] for k in whole}
            tried[kind] = Quality(
                silhouettes={k: silhouette(points, one) for k, one in whole.items()},
                davies_bouldin={k: davies_bouldin(points, one) for k, one in whole.items()},
                stability={k: stability(points, k, settings.seed, labels_by(kind)) for k in whole},
            )
    kind, k = best(tried, settings.min_stability)
    return Count(k=k, grouping=learned[kind, k], tried=tried)


def best(tried: Mapping[str, Quality], min_stability: float) -> tuple[str, int]:
    """Kind and k, as the module says. Kinds are in order, the plainest first."""
    every = [(kind, k) for kind, of_kind in tried.items() for k in of_kind.silhouettes]
    steady = [one for one in every if tried[one[0]].stability[one[1]] >= min_stability]
    if not steady:
        return max(every, key=lambda one: (tried[one[0]].stability[one[1]], -one[1]))
    most = max(tried[kind].silhouettes[k] for kind, k in steady)
    near = [(kind, k) for kind, k in steady if tried[kind].silhouettes[k] >= most - NEAR]
    return min(near, key=lambda one: one[1])

"""Groups by density, as a second opinion on segments: where people lie close, how many lie nowhere, and how far that agrees with the segments. Pure.

HDBSCAN (Campello, Moulavi and Sander, 2013) is asked for no number of groups and may put a row in none. It says nothing of rows it has not seen, so it assigns nobody: it is told in
the training's report and in the registry.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lakehouse.models.cluster_quality import Array, Labels, adjusted_rand
from lakehouse.models.one_thread import one_thread

SAMPLE: Final = 2_000  # rows; it compares them with each other
_LEAST_ROWS: Final = 10
_LEAST_SHARE: Final = 0.02  # of the rows, and _LEAST_ROWS at least: what is smaller is no group


@dataclass(frozen=True, kw_only=True)
class Density:
    """rows: that were looked at. groups: dense ones among them. noise: share of the rows in none. agreement: adjusted Rand with the segments, of the rows in
    one; None = there are no two groups to agree on.
    """

    rows: int
    groups: int
    noise: float
    agreement: float | None

    def line(self) -> str:
        """For a person."""
        agreed = (
            "nothing to compare" if self.agreement is None else f"adjusted Rand with the segments {self.agreement:.3f}"
        )
        return f"by density (HDBSCAN, {self.rows:,} profiles): {self.groups} groups, {self.noise:.1%} in none, {agreed}"

    def metrics(self) -> dict[str, float]:
        """For the registry."""
        told = {"density_groups": float(self.groups), "density_noise": self.noise}
        return told if self.agreement is None else told | {"density_adjusted_rand": self.agreement}


def density(points: Array, labels: Labels) -> Density:
    """`points`: rows x columns in standard units, in no order. labels: the segment of each."""
    from sklearn.cluster import HDBSCAN  # a second, which only a training should wait for

    few = points[:SAMPLE]
    least = max(_LEAST_ROWS, int(_LEAST_SHARE * len(few)))
    if len(few) < 2 * least:
        return Density(rows=len(few), groups=0, noise=1.0, agreement=None)
    with one_thread():
        found = HDBSCAN(min_cluster_size=least, copy=True).fit(few).labels_
    in_one = found >= 0
    groups = len(np.unique(found[in_one]))
    agreement = adjusted_rand(found[in_one], labels[:SAMPLE][in_one]) if groups > 1 else None
    return Density(rows=len(few), groups=groups, noise=float(1 - in_one.mean()), agreement=agreement)

"""Segments of prospects, the part of the model `segments` that speaks of profiles without an order.

Reads gold.activation, of those who may be learned from. Of a sample, and on the driver: ln(1 + x) of days since the last event, products looked at and put into a
cart, each to mean 0 and deviation 1; kind and number of groups as segment_count.py chooses them. Where half of the sample gives other groups, those of the champion stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import SegmentsConfig
from lakehouse.errors import ModelError
from lakehouse.models.cluster_quality import Array, Labels
from lakehouse.models.kept_names import kept_names
from lakehouse.models.placing import Scale, placed
from lakehouse.models.prospect_segments import COUNTS, ProspectSegment, ProspectSegments
from lakehouse.models.segment_names import ProspectBehaviour, prospect_names
from lakehouse.models.segment_path import DAY_MICROS
from lakehouse.training.segment_count import Count, choose
from lakehouse.training.segment_figures import FEW


@dataclass(frozen=True, kw_only=True)
class LearnedProspects:
    """segments: None = there are none. count: how many, and why; None = none were learned. sampled: prospects they were learned from. why: in words, if they are not new."""

    segments: ProspectSegments | None
    sampled: int
    count: Count | None = None
    why: str | None = None

    def table(self) -> str:
        """For a person."""
        head = f"prospects: {0 if self.segments is None else len(self.segments.segments)} segments of {self.sampled:,} profiles without an order"
        lines = [head if self.why is None else f"{head}: {self.why}"]
        if self.count is not None:
            lines.append(f"{self.count.chosen_line()}")
        for one in sorted(self.segments.segments if self.segments else (), key=lambda segment: -segment.profiles):
            lines.append(
                f"{one.name:<40} {one.profiles:>9,} {one.days:>9.1f} days since seen {one.views:>7.2f} looks {one.carts:>6.2f} carts"
            )
        return "\n".join(lines)


def learned_prospects(
    willing: DataFrame, settings: SegmentsConfig, reigning: ProspectSegments | None, as_of_micros: int
) -> LearnedProspects:
    """`willing`: rows of gold.activation. reigning: those of the champion. as_of_micros: what gold is of."""
    return learned(*_sample(willing, settings.sample_profiles), settings, reigning, as_of_micros)


def learned(
    since: Labels,
    counts: Sequence[Array],
    settings: SegmentsConfig,
    reigning: ProspectSegments | None,
    as_of_micros: int,
) -> LearnedProspects:
    """`learned_prospects` of a sample: when each was seen last, in microseconds since 1970, and COUNTS. Pure."""
    if len(since) < FEW:
        return LearnedProspects(
            segments=reigning, sampled=len(since), why=f"too few to learn from, expected {FEW} or more"
        )
    days = np.maximum(0.0, (as_of_micros - since) / DAY_MICROS)
    logs = np.log1p(np.column_stack([days, *counts]))
    scale = Scale(means=_floats(logs.mean(axis=0)), deviations=_floats(logs.std(axis=0, ddof=1)))
    points = np.column_stack([scale.scaled(place, column) for place, column in enumerate([days, *counts])])
    try:
        count = choose(points, settings)
    except ModelError:
        return LearnedProspects(segments=reigning, sampled=len(since), why="too much alike")
    unsteady = count.unsteady(settings.min_stability)
    if unsteady is not None and reigning is not None:
        return LearnedProspects(segments=reigning, sampled=len(since), count=count, why=unsteady)
    labels = count.grouping.labels(points)
    told = ProspectSegments(
        means=scale.means, deviations=scale.deviations, segments=_described(count, labels, days, counts)
    )
    if reigning is not None:
        as_of = np.full(len(since), as_of_micros)
        before, _ = placed([one.group for one in reigning.segments], reigning.scale, since, counts, as_of)
        told = _renamed(told, labels, reigning, before)
    return LearnedProspects(segments=told, sampled=len(since), count=count)


def _sample(willing: DataFrame, most: int) -> tuple[Labels, list[Array]]:
    """When they were seen last, in microseconds since 1970, and COUNTS: of `most` prospects by a hash of the id, the same ones on every run."""
    prospects = willing.where(F.col("frequency") == 0).orderBy(F.xxhash64("profile_id"), "profile_id").limit(most)
    rows = prospects.select(F.unix_micros("last_seen_at").alias("since"), *COUNTS).toPandas()
    return rows["since"].to_numpy(np.int64), [rows[name].to_numpy(float) for name in COUNTS]


def _described(count: Count, labels: Labels, days: Array, counts: Sequence[Array]) -> tuple[ProspectSegment, ...]:
    means = [tuple(float(one[labels == number].mean()) for one in (days, *counts)) for number in range(count.k)]
    names = prospect_names([ProspectBehaviour(days=day, views=views, carts=carts) for day, views, carts in means])
    sizes = np.bincount(labels, minlength=count.k).tolist()
    return tuple(
        ProspectSegment(
            name=name, centroid=group.centre, factor=group.factor, offset=group.offset, profiles=size,
            days=day, views=views, carts=carts,
        )
        for name, group, size, (day, views, carts) in zip(names, count.grouping.groups, sizes, means, strict=True)
    )  # fmt: skip


def _renamed(told: ProspectSegments, labels: Labels, reigning: ProspectSegments, before: Labels) -> ProspectSegments:
    """With the champion's names for segments of the same people."""
    pairs, people = np.unique(np.column_stack([before, labels]), axis=0, return_counts=True)
    shared = {
        (reigning.segments[old].name, int(new)): int(number) for (old, new), number in zip(pairs, people, strict=True)
    }
    names = kept_names([one.name for one in told.segments], shared)
    return replace(
        told, segments=tuple(replace(one, name=name) for one, name in zip(told.segments, names, strict=True))
    )


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(map(float, values))

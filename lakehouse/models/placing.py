"""Groups with names, and the column that says who is in which, and until when: what segments of buyers and of prospects are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from pyspark.sql import Column

from lakehouse.models.cluster_quality import Array, Labels
from lakehouse.models.grouping import Group
from lakehouse.models.segment_path import NEVER, Micros, stays
from lakehouse.spark.arrow_function import arrow_function

PLACE: Final = "struct<segment: string, due: bigint>"
"""Name of the segment, and the quarter of an hour by which it is another one though nothing happens, in microseconds since 1970; null = never."""


@dataclass(frozen=True, kw_only=True)
class NamedGroup:
    """One cluster: its name, its centre in standard units, and how many profiles it was learned from. factor, offset: of its cost, see
    lakehouse/models/grouping.py.
    """

    name: str
    centroid: tuple[float, ...]
    profiles: int
    factor: tuple[tuple[float, ...], ...] = ()
    offset: float = 0.0

    @classmethod
    def from_parameters(cls, told: Mapping[str, Any]) -> Self:
        factor = tuple(tuple(row) for row in told.get("factor", ()))
        return cls(**{**told, "centroid": tuple(told["centroid"]), "factor": factor})

    @property
    def group(self) -> Group:
        return Group(centre=self.centroid, factor=self.factor, offset=self.offset)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """means, deviations: of ln(1 + x) at training; of the days since first, then of the counts."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def scaled(self, place: int, values: Array) -> Array:
        """ln(1 + x) of the column at that place in standard units, 0 where nothing varied at training; below 0 it is as 0."""
        if self.deviations[place] <= 0:
            return np.zeros(len(values))
        return np.asarray((np.log1p(np.maximum(0.0, values)) - self.means[place]) / self.deviations[place])


def placed(
    groups: Sequence[Group], scale: Scale, since: Micros, counts: Sequence[Array], as_of: Micros
) -> tuple[Labels, Micros]:
    """Number of the group of each row, and when it is another one (NEVER = never). Times in microseconds since 1970."""
    others = np.column_stack([scale.scaled(place, count) for place, count in enumerate(counts, 1)])
    return stays(groups, scale.means[0], scale.deviations[0], others).at(since, as_of)


def placing(segments: Sequence[NamedGroup], scale: Scale) -> Callable[..., Column]:
    """PLACE over columns: since when, in microseconds since 1970; the counts, as doubles; and as of when, in microseconds."""
    names, groups = np.array([one.name for one in segments], dtype=object), tuple(one.group for one in segments)

    def answer(*columns: pa.Array) -> pa.Array:
        since, *counts, as_of = (column.to_numpy(zero_copy_only=False) for column in columns)
        labels, due = placed(groups, scale, since, counts, as_of)
        told = pa.array(names[labels], pa.string()), pa.array(due, pa.int64(), mask=due == NEVER)
        return pa.StructArray.from_arrays(told, ["segment", "due"])

    return arrow_function(answer, PLACE)

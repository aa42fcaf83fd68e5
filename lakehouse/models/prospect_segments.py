"""Segments of prospects: a named cluster for every profile without an order, from stored parameters.

Learned, placed and left in time as those of buyers are (segment_model.py), by the days since the last event, and products looked at and put into a cart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.models.placing import NamedGroup, Scale, placing

COUNTS: Final = ("view_count", "cart_count")


@dataclass(frozen=True, kw_only=True)
class ProspectSegment(NamedGroup):
    """days, views, carts: plain means of those it was learned from."""

    days: float
    views: float
    carts: float


@dataclass(frozen=True, kw_only=True)
class ProspectSegments:
    """As plain values. means, deviations: of ln(1 + x) of days, views and carts at training."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    segments: tuple[ProspectSegment, ...]

    @classmethod
    def from_parameters(cls, told: Mapping[str, Any]) -> Self:
        segments = tuple(map(ProspectSegment.from_parameters, told["segments"]))
        return cls(means=tuple(told["means"]), deviations=tuple(told["deviations"]), segments=segments)

    @property
    def scale(self) -> Scale:
        return Scale(means=self.means, deviations=self.deviations)

    def place(self) -> Column:
        """placing.PLACE over last_seen_at, COUNTS and `as_of`."""
        return self._place

    @cached_property
    def _place(self) -> Column:
        counts = (F.col(name).cast("double") for name in COUNTS)
        return placing(self.segments, self.scale)(F.unix_micros("last_seen_at"), *counts, F.unix_micros("as_of"))

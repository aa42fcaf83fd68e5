"""Segments: quintile scores and a named cluster for every profile with orders, from stored parameters.

Everything is a function of the row, the model and `as_of`, the instant that is asked about. Recency is days from the last order to it, so a profile that
does nothing grows old: both answers come with the instant at which they are to be asked for again (decision 126). As of `reference_at` they are those of the training.

The stream applies the parameters, not the fitted pipeline: nothing to load but a page of JSON, no stages to analyse one after the other in every batch.
`pipeline_inputs` is what training and registry have; a test holds their answers and those of the stream equal where a stay lasts (segment_path.py).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.features.point_in_time import quarter_after
from lakehouse.models.placing import NamedGroup, Scale, placing
from lakehouse.models.prospect_segments import ProspectSegments

SCORED = ("last_order_at", "frequency", "monetary")  # columns behind r_score, f_score and m_score, in that order
SCORE_COLUMNS = ("r_score", "f_score", "m_score")
INPUTS = ("log_recency_days", "log_frequency", "log_monetary")


@dataclass(frozen=True, kw_only=True)
class Segment(NamedGroup):
    """A cluster over INPUTS, with its plain means at training."""

    recency_days: float
    frequency: float
    monetary: float


@dataclass(frozen=True, kw_only=True)
class SegmentModel:
    """A segments model as plain values.

    `cuts`: four cut points per column of SCORED, the 20, 40, 60 and 80 % points by linear interpolation (times as
    microseconds since 1970). `means`, `deviations`: of INPUTS at training. prospects: what it says of profiles without orders; None = nothing, as releases before did.
    """

    version: str
    reference_micros: int
    cuts: Mapping[str, tuple[float, ...]]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    segments: tuple[Segment, ...]
    prospects: ProspectSegments | None = None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        segments = map(Segment.from_parameters, parameters["segments"])
        prospects = parameters.get("prospects")
        return cls(
            version=version,
            reference_micros=parameters["reference_micros"],
            cuts={name: tuple(parameters["cuts"][name]) for name in SCORED},
            means=tuple(parameters["means"]),
            deviations=tuple(parameters["deviations"]),
            segments=tuple(segments),
            prospects=None if prospects is None else ProspectSegments.from_parameters(prospects),
        )

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready; the version is the registry's to give."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "version"}

    @property
    def every(self) -> tuple[NamedGroup, ...]:
        """The segments of buyers and of prospects."""
        return (*self.segments, *(self.prospects.segments if self.prospects else ()))

    @property
    def reference_at(self) -> datetime:
        """Newest event in the training data."""
        return datetime.fromtimestamp(self.reference_micros / 1e6, UTC)

    def quintiles(self) -> Mapping[str, Column]:
        """r_score, f_score and m_score (1 to 5, 5 = latest or most) over the columns of gold.rfm and `as_of`."""
        return self._quintiles

    def quintiles_due_at(self) -> Column:
        """The quarter of an hour by which r_score is another one though nothing happens; null = never. Over the same columns."""
        return self._quintiles_due_at

    def place(self) -> Column:
        """placing.PLACE over the same columns."""
        return self._place

    @cached_property
    def _quintiles(self) -> dict[str, Column]:
        aged = F.expr(f"unix_micros(last_order_at) + {self.reference_micros:d} - unix_micros(as_of)").cast("double")
        values = (aged, *(comparable(name) for name in SCORED[1:]))
        return {
            score: _quintile(value, self.cuts[name])
            for score, value, name in zip(SCORE_COLUMNS, values, SCORED, strict=True)
        }

    @cached_property
    def _quintiles_due_at(self) -> Column:
        after = (self.reference_micros - cut for cut in self.cuts["last_order_at"])
        falls = [f"CAST(ceil(unix_micros(last_order_at) + {micros!r}D) AS BIGINT)" for micros in after]
        ahead = (f"CASE WHEN {at} > unix_micros(as_of) THEN timestamp_micros({at}) END" for at in falls)
        return F.expr(quarter_after(f"least({', '.join(ahead)})"))

    @cached_property
    def _place(self) -> Column:
        counts = (comparable(name) for name in SCORED[1:])
        scale = Scale(means=self.means, deviations=self.deviations)
        return placing(self.segments, scale)(F.unix_micros("last_order_at"), *counts, F.unix_micros("as_of"))


def pipeline_inputs(reference_micros: int) -> dict[str, str]:
    """INPUTS as Spark SQL over the columns of gold.rfm: ln(1 + x) of recency in days, frequency and monetary.

    Recency is clamped at 0 for orders after the reference; monetary too, where refunds exceed orders.
    """
    recency_days = f"({reference_micros:d} - unix_micros(last_order_at)) / 86400000000D"
    return {
        "log_recency_days": f"log1p(greatest(0D, {recency_days}))",
        "log_frequency": "log1p(CAST(frequency AS DOUBLE))",
        "log_monetary": "log1p(greatest(0D, CAST(monetary AS DOUBLE)))",
    }


def comparable(column: str) -> Column:
    """A column of SCORED as the double its cut points are in."""
    return F.unix_micros(column).cast("double") if column == "last_order_at" else F.col(column).cast("double")


def _quintile(value: Column, cuts: Sequence[float]) -> Column:
    """1 + the number of cut points below the value: the right-closed bins of pandas.qcut.

    Equal values always share a score, so where many values tie some scores go to nobody: with half of all profiles at
    one order, one order is 1 and two orders may be 4.
    """
    above = ((value > F.lit(cut)).cast("int") for cut in cuts)
    return sum(above, F.lit(1))

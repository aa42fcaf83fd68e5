"""Segments: quintile scores and a named cluster for every profile with orders, from stored parameters.

Everything is a function of the row and the model. Recency is days from the last order to `reference_at`, the newest
event in the model's training data, not to now: a profile's answer changes when it orders or when the champion changes,
never because time passes, so stream and rebuild agree at every moment.

The stream applies the parameters as column expressions, not the fitted pipeline: nothing to load but a page of JSON, no
stages to analyse one after the other in every batch. `pipeline_inputs` is the one text both are made from, and a test
holds their answers equal.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SCORED = ("last_order_at", "frequency", "monetary")  # columns behind r_score, f_score and m_score, in that order
SCORE_COLUMNS = ("r_score", "f_score", "m_score")
INPUTS = ("log_recency_days", "log_frequency", "log_monetary")


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One cluster: its name, its centre in standard units of INPUTS, its size and plain means at training. factor, offset: of its cost, see
    lakehouse/models/grouping.py.
    """

    name: str
    centroid: tuple[float, ...]
    profiles: int
    recency_days: float
    frequency: float
    monetary: float
    factor: tuple[tuple[float, ...], ...] = ()
    offset: float = 0.0

    @classmethod
    def from_parameters(cls, told: Mapping[str, Any]) -> Self:
        factor = tuple(tuple(row) for row in told.get("factor", ()))
        return cls(**{**told, "centroid": tuple(told["centroid"]), "factor": factor})


@dataclass(frozen=True, kw_only=True)
class SegmentModel:
    """A segments model as plain values.

    `cuts`: four cut points per column of SCORED, the 20, 40, 60 and 80 % points by linear interpolation (times as
    microseconds since 1970). `means`, `deviations`: of INPUTS at training.
    """

    version: str
    reference_micros: int
    cuts: Mapping[str, tuple[float, ...]]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    segments: tuple[Segment, ...]

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        segments = map(Segment.from_parameters, parameters["segments"])
        return cls(
            version=version,
            reference_micros=parameters["reference_micros"],
            cuts={name: tuple(parameters["cuts"][name]) for name in SCORED},
            means=tuple(parameters["means"]),
            deviations=tuple(parameters["deviations"]),
            segments=tuple(segments),
        )

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready; the version is the registry's to give."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "version"}

    @property
    def reference_at(self) -> datetime:
        """Newest event in the training data."""
        return datetime.fromtimestamp(self.reference_micros / 1e6, UTC)

    def assign(self, rfm: DataFrame) -> DataFrame:
        """The rows of `rfm` with r_score, f_score, m_score (1 to 5, 5 = latest or most), segment and model_version.

        Args:
            rfm: one row per profile with orders: profile_id, first_order_at, last_order_at, frequency, monetary.
        """
        return rfm.withColumns({**self.quintiles(), "segment": self.segment(), "model_version": F.lit(self.version)})

    def quintiles(self) -> Mapping[str, Column]:
        """r_score, f_score and m_score over the columns of gold.rfm."""
        return self._quintiles

    def segment(self) -> Column:
        """Name of the segment over the columns of gold.rfm: that of least cost, the first of several; where centroids alone decide, the nearest one's."""
        return self._segment

    @cached_property
    def _quintiles(self) -> dict[str, Column]:
        return {score: quintile(name, self.cuts[name]) for score, name in zip(SCORE_COLUMNS, SCORED, strict=True)}

    @cached_property
    def _segment(self) -> Column:
        scaled = [
            (F.expr(sql) - F.lit(mean)) / F.lit(deviation) if deviation > 0 else F.lit(0.0)
            for sql, mean, deviation in zip(
                pipeline_inputs(self.reference_micros).values(), self.means, self.deviations, strict=True
            )
        ]
        distances = F.array(*(_cost(scaled, segment) for segment in self.segments))
        names = F.array(*(F.lit(segment.name) for segment in self.segments))
        return F.element_at(names, F.array_position(distances, F.array_min(distances)).cast("int"))


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


def quintile(column: str, cuts: Sequence[float]) -> Column:
    """1 + the number of cut points below the value: the right-closed bins of pandas.qcut.

    Equal values always share a score, so where many values tie some scores go to nobody: with half of all profiles at
    one order, one order is 1 and two orders may be 4.
    """
    above = ((comparable(column) > F.lit(cut)).cast("int") for cut in cuts)
    return sum(above, F.lit(1))


def _cost(point: Sequence[Column], segment: Segment) -> Column:
    apart = [x - F.lit(c) for x, c in zip(point, segment.centroid, strict=True)]
    if segment.factor:
        apart = [sum((F.lit(w) * x for w, x in zip(row, apart, strict=True)), F.lit(0.0)) for row in segment.factor]
    return sum((x * x for x in apart), F.lit(segment.offset))

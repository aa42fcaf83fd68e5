"""Figures of all profiles with orders, in one pass: what segments are counted back from, cut by and named by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.models.segment_model import SCORED, comparable
from lakehouse.models.segment_path import DAY_MICROS
from lakehouse.profiles.gold.rfm import GOLD_RFM

FEW: Final = 10  # profiles; below, quintiles and clusters say nothing


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of all profiles. reference_micros: what gold is of, or the newest order, in microseconds since 1970, which recency is counted back from. cuts: the 20, 40, 60 and 80 %
    points of every column of SCORED, exact, by linear interpolation as numpy's default. gap_days: mean between two orders of one profile; where nobody has
    two days with orders, since the last.
    """

    profiles: int
    reference_micros: int
    cuts: Mapping[str, tuple[float, ...]]
    gap_days: float


def figures(rows: DataFrame, as_of_micros: int = 0) -> Figures:
    """`rows`: profile_id, first_order_at and SCORED. as_of_micros: what they are of; 0 = it is not known.

    Raises:
        ModelError: fewer than FEW.
    """
    shares = F.array(*(F.lit(share) for share in (0.2, 0.4, 0.6, 0.8)))
    first, last = (F.unix_micros(name).cast("double") for name in ("first_order_at", "last_order_at"))
    found = rows.agg(
        F.count(F.lit(1)).alias("profiles"),
        F.unix_micros(F.max("last_order_at")).alias("newest"),
        F.avg(last).alias("mean_last"),
        (F.sum(last - first) / F.nullif(F.sum(F.col("frequency") - 1), F.lit(0))).alias("gap"),
        *(F.percentile(comparable(name), shares).alias(name) for name in SCORED),
    ).first()
    assert found is not None
    if found["profiles"] < FEW:
        raise ModelError(
            f"train_segments: too few profiles with orders in {GOLD_RFM.name}, got {found['profiles']}, expected {FEW} or more. "
            "Run again when more orders have come in"
        )
    return Figures(
        profiles=found["profiles"],
        reference_micros=max(found["newest"], as_of_micros),
        cuts={name: tuple(map(float, found[name])) for name in SCORED},
        gap_days=(found["gap"] or found["newest"] - found["mean_last"]) / DAY_MICROS or 1.0,
    )

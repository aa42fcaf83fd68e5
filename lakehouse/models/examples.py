"""Training examples of the purchase score: features at past cut-offs, and what happened in the horizon after them.

    train, train, ... | horizon | validation | horizon | test | horizon | last whole day of the lake

Cut-offs are ends of UTC days. Each slice's labels are over before the next slice's features begin (an embargo of one
horizon), so a model never sees, at training or calibration, a day it is later judged on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES, end_of_day, features

TRAIN_CUT_OFFS = 3  # at most, half a horizon apart: more would repeat the same purchases


@dataclass(frozen=True, kw_only=True)
class CutOffs:
    """Last known day of every slice, UTC; `train` newest first."""

    train: tuple[date, ...]
    validation: date
    test: date

    @property
    def all(self) -> tuple[date, ...]:
        return (*self.train, self.validation, self.test)


def cut_offs(first_day: date, newest_day: date, horizon_days: int) -> CutOffs:
    """The cut-offs a lake allows that has events from `first_day` to `newest_day`, which may not be over yet.

    The oldest has a quarter of a horizon of history at least.

    Raises:
        ModelError: too short a time for one cut-off of each slice.
    """
    test = newest_day - timedelta(days=1 + horizon_days)
    validation = test - timedelta(days=horizon_days)
    newest = validation - timedelta(days=horizon_days)
    oldest = first_day + timedelta(days=horizon_days // 4)
    step = timedelta(days=max(1, horizon_days // 2))
    train = tuple(newest - i * step for i in range(TRAIN_CUT_OFFS) if newest - i * step >= oldest)
    if not train:
        raise ModelError(
            f"train_scores: too short a history, got {(newest_day - first_day).days} days, expected "
            f"{1 + 3 * horizon_days + horizon_days // 4} or more for a horizon of {horizon_days} days. "
            "Run again later or lower scores.horizon_days"
        )
    return CutOffs(train=train, validation=validation, test=test)


def examples(
    activity: DataFrame, orders: DataFrame, profiles: DataFrame, days: Sequence[date], horizon_days: int
) -> DataFrame:
    """One row per profile and cut-off it was known at: profile_id, as_of, FEATURES, label.

    `label` is 1.0 if the profile orders after `as_of` and within `horizon_days`, else 0.0. `profiles`: profile_id.
    """
    instants = F.array(*(F.lit(end_of_day(day)) for day in days))
    stamped = profiles.select("profile_id", F.explode(instants).alias("as_of"))
    horizon = F.make_dt_interval(F.lit(horizon_days))
    is_ahead = (F.col("ordered_at") > F.col("as_of")) & (F.col("ordered_at") <= F.col("as_of") + horizon)
    bought = (
        orders.join(stamped, on="profile_id", how="inner")
        .where(is_ahead)
        .select("profile_id", "as_of", F.lit(1.0).alias("label"))
        .distinct()
    )
    known = features(activity, orders, stamped)
    labelled = known.join(bought, on=["profile_id", "as_of"], how="left")
    return labelled.select("profile_id", "as_of", *FEATURES, F.coalesce("label", F.lit(0.0)).alias("label"))

"""Training examples of a score: features at past instants, and whether it happened in the horizon after them: an order, or what else is asked.

    train, train, ..., train | embargo | test | horizon | last whole day of the lake      one split; others end a step earlier each

Cut-offs are ends of UTC days, all on one grid. Every label of the train slices is over before the test slice's features begin (an embargo of a horizon
or more), so a model never sees, at training, choice or calibration, a day it is later judged on. What is chosen and calibrated by are answers about
the newest train slice, by models that have not seen the person (lakehouse/models/judgement.py): a slice held out in time would leave
the newest of what can be known unlearned.

A score is made for everybody as time passes and for somebody at a touch. So a cut-off has two rows of a profile at most: one as of its end, and
one as of the last event of the first day on which the profile did anything in the week before it. The first, because the last one before a
cut-off would tell that nothing came after it. Of that day it is the last event, for activity is kept by the day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES, end_of_day, features
from lakehouse.models.evaluation import Array

SPLITS: Final = 5
TRAIN_CUT_OFFS: Final = 4  # of a model at most, half a horizon apart: more would repeat the same purchases
TOUCH_DAYS: Final = 7
LOOKED_AT: Final = 1_000  # profiles of which it is looked whether a feature knows the future
COLUMNS: Final = ("profile_id", "cut_off", "is_touch", "as_of", *FEATURES, "happened")

Compute = Callable[[DataFrame, DataFrame, DataFrame], DataFrame]
"""What lakehouse/features/point_in_time.py: features is."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Last known day of every slice, UTC; `train` newest first."""

    train: tuple[date, ...]
    test: date

    @property
    def all(self) -> tuple[date, ...]:
        return (*self.train, self.test)


@dataclass(frozen=True, kw_only=True)
class CutOffs:
    """`splits`: the newest first. `refit`: train slices of the model that is published, the newest first: the newest test slice, and before it as in a split."""

    splits: tuple[Split, ...]
    refit: tuple[date, ...]

    @property
    def all(self) -> tuple[date, ...]:
        return tuple(sorted({*self.refit, *(day for split in self.splits for day in split.all)}, reverse=True))


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Rows on the driver. rows: x FEATURES. person: a number for each profile, 0 to the number of profiles - 1. cut_off: ordinal of the day."""

    rows: Array
    happened: Array
    person: NDArray[np.int64]
    cut_off: NDArray[np.int64]
    is_touch: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> "Examples":
        return Examples(
            rows=self.rows[chosen],
            happened=self.happened[chosen],
            person=self.person[chosen],
            cut_off=self.cut_off[chosen],
            is_touch=self.is_touch[chosen],
        )

    def at(self, *days: date) -> "Examples":
        return self.where(np.isin(self.cut_off, [day.toordinal() for day in days]))

    def column(self, name: str) -> Array:
        """One of FEATURES."""
        return self.rows[:, FEATURES.index(name)]

    def __len__(self) -> int:
        return len(self.rows)


def cut_offs(first_day: date, newest_day: date, horizon_days: int) -> CutOffs:
    """The cut-offs a lake allows that has events from `first_day` to `newest_day`, which may not be over yet: SPLITS splits, or fewer.

    The oldest cut-off has a quarter of a horizon of history at least.

    Raises:
        ModelError: too short a time for one split.
    """
    test = newest_day - timedelta(days=1 + horizon_days)
    oldest = first_day + timedelta(days=horizon_days // 4)
    for step in range(max(1, horizon_days // 4), 0, -1):
        embargo = -(-horizon_days // step) * step
        splits = min(SPLITS, 1 + (test - oldest).days // step - embargo // step)
        if splits == SPLITS or (step == 1 and splits >= 1):
            break
    else:
        raise ModelError(
            f"train_scores: too short a history, got {(newest_day - first_day).days} days, expected "
            f"{1 + 2 * horizon_days + horizon_days // 4} or more for a horizon of {horizon_days} days. "
            "Run again later or lower the horizon in [scores]"
        )
    half = max(1, round(horizon_days / 2 / step)) * step

    def learned_from(newest: date) -> tuple[date, ...]:
        days = (newest - timedelta(days=number * half) for number in range(TRAIN_CUT_OFFS))
        return tuple(day for day in days if day >= oldest)

    tests = (test - timedelta(days=number * step) for number in range(splits))
    found = tuple(Split(train=learned_from(day - timedelta(days=embargo)), test=day) for day in tests)
    return CutOffs(splits=found, refit=learned_from(test))


def moments(activity: DataFrame, profiles: DataFrame, days: Sequence[date]) -> DataFrame:
    """profile_id, as_of, cut_off, is_touch: each profile and instant once. `profiles`: profile_id."""
    ends = F.array(*(F.struct(F.lit(day).alias("cut_off"), F.lit(end_of_day(day)).alias("as_of")) for day in days))
    passes = profiles.select("profile_id", F.inline(ends)).withColumn("is_touch", F.lit(False))
    active = activity.groupBy("profile_id", "activity_date").agg(F.max("last_at").alias("last_at"))
    cut_offs_after = F.filter(
        F.array(*(F.lit(day) for day in days)),
        lambda day: (F.col("activity_date") <= day) & (F.col("activity_date") > F.date_sub(day, TOUCH_DAYS)),
    )
    touches = (
        active.join(profiles.select("profile_id"), on="profile_id", how="left_semi")
        .withColumn("cut_off", F.explode(cut_offs_after))
        .groupBy("profile_id", "cut_off")
        .agg(F.min_by("last_at", "activity_date").alias("as_of"))
        .withColumn("is_touch", F.lit(True))
    )
    return (
        passes.unionByName(touches)
        .groupBy("profile_id", "as_of")
        .agg(F.min("cut_off").alias("cut_off"), F.min("is_touch").alias("is_touch"))
    )


def examples(
    activity: DataFrame,
    orders: DataFrame,
    at: DataFrame,
    horizon_days: int,
    *,
    compute: Compute = features,
    outcomes: DataFrame | None = None,
) -> DataFrame:
    """COLUMNS: of each of the `moments` at which the profile was known already.

    `happened` is 1.0 if there is an outcome after `as_of` and within `horizon_days`, else 0.0. `at`: read three times. `outcomes`: profile_id,
    occurred_at; None = orders.
    """
    horizon = F.make_dt_interval(F.lit(horizon_days))
    is_ahead = (F.col("occurred_at") > F.col("as_of")) & (F.col("occurred_at") <= F.col("as_of") + horizon)
    asked = orders.select("profile_id", F.col("ordered_at").alias("occurred_at")) if outcomes is None else outcomes
    ahead = (
        asked.join(at, on="profile_id", how="inner")
        .where(is_ahead)
        .select("profile_id", "as_of", F.lit(1.0).alias("is_ahead"))
        .distinct()
    )
    known = compute(activity, orders, at)
    key = ["profile_id", "as_of"]
    labelled = known.join(at, on=key, how="inner").join(ahead, on=key, how="left")
    return labelled.withColumn("happened", F.coalesce("is_ahead", F.lit(0.0))).select(*COLUMNS)


def collected(told: pa.Table) -> Examples:
    """Rows of `examples` on the driver, in one order however they come."""
    told = told.sort_by([(name, "ascending") for name in ("profile_id", "cut_off", "as_of")])
    person = told["profile_id"].combine_chunks().dictionary_encode()
    number = person.indices.to_numpy(zero_copy_only=False) if told.num_rows else np.zeros(0)
    days = [day.toordinal() for day in told["cut_off"].to_pylist()]
    rows = np.column_stack([told[name].to_numpy() for name in FEATURES]).astype(np.float64)
    return Examples(
        rows=rows.reshape(-1, len(FEATURES)),
        happened=told["happened"].to_numpy().astype(np.float64),
        person=np.asarray(number, dtype=np.int64),
        cut_off=np.asarray(days, dtype=np.int64),
        is_touch=told["is_touch"].to_numpy(zero_copy_only=False).astype(bool),
    )


def leaking(
    told: pa.Table, activity: DataFrame, orders: DataFrame, day: date, *, compute: Compute = features
) -> tuple[str, ...]:
    """FEATURES at the end of `day` that are another figure when all that came later is taken away: they know the future.

    `told`: rows of `examples`, of which LOOKED_AT are looked at.
    """
    end = end_of_day(day)
    of_all = told.filter(pc.equal(told["as_of"], pa.scalar(end, told["as_of"].type))).sort_by("profile_id")
    of_all = of_all.slice(0, LOOKED_AT)
    at = activity.sparkSession.createDataFrame(of_all.select(["profile_id", "as_of"]))
    before = activity.where(F.col("last_at") <= F.lit(end)), orders.where(F.col("ordered_at") <= F.lit(end))
    of_then = compute(*before, at).select("profile_id", *FEATURES).toArrow().sort_by("profile_id")
    if of_all["profile_id"].to_pylist() != of_then["profile_id"].to_pylist():
        return FEATURES
    return tuple(
        name
        for name in FEATURES
        if not np.allclose(of_all[name].to_numpy(), of_then[name].to_numpy(), rtol=0, atol=1e-9)
    )

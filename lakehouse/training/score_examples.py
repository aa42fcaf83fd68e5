"""Examples of a score from the lake as it stands: of those who may be learned from, at past instants, on the driver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import features
from lakehouse.lake.delta import Lake
from lakehouse.models.examples import Compute, CutOffs, Examples, collected, cut_offs, examples, leaking
from lakehouse.models.publish import snapshot
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting

PROFILES = 10_000  # at most, by a hash of the id: a score of two dozen features learns no more from more
LOOKED_AT = 1_000  # profiles of which it is looked whether a feature knows the future


@dataclass(frozen=True, kw_only=True)
class Read:
    """versions: Delta version by table. newest_day: the last one with an event, which may not be over. leaking: features that know the future."""

    known: Examples
    cut_offs: CutOffs
    versions: Mapping[str, int]
    newest_day: date
    leaking: tuple[str, ...]


def read_examples(
    lake: Lake, horizon_days: int, *, compute: Compute = features, outcomes: DataFrame | None = None
) -> Read:
    """Of every cut-off that the lake allows. `outcomes`: what is asked for, actor_id and occurred_at; None = orders.

    Raises:
        ModelError: no events, or too short a history.
    """
    tables = (SILVER_ACTIVITY_DAILY, SILVER_ORDERS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION)
    (daily, orders, identity_map, activation), versions = zip(*(snapshot(lake, table) for table in tables), strict=True)
    seen = daily.agg(F.min("activity_date").alias("first"), F.max("activity_date").alias("newest")).first()
    if seen is None or seen["first"] is None:
        raise ModelError(
            f"train_scores: nothing to learn from, got an empty {SILVER_ACTIVITY_DAILY.name}, expected events. "
            "Run ./spark-submit.sh streaming"
        )
    cuts = cut_offs(seen["first"], seen["newest"], horizon_days)
    known = identity_map.select("profile_id").distinct()
    willing = consenting(known, activation, lake.config.training.scores, lake.config)
    profiles = willing.orderBy(F.xxhash64("profile_id"), "profile_id").limit(PROFILES).localCheckpoint()
    activity, bought = _of(profiles, identity_map, daily, orders)
    if outcomes is not None:
        members = identity_map.join(profiles, on="profile_id", how="left_semi").select("actor_id", "profile_id")
        outcomes = outcomes.join(members, on="actor_id", how="inner").select("profile_id", "occurred_at")
    told = examples(activity, bought, profiles, cuts.all, horizon_days, compute=compute, outcomes=outcomes).toArrow()
    few = profiles.limit(LOOKED_AT).localCheckpoint()
    test = cuts.splits[0].test
    return Read(
        known=collected(told),
        cut_offs=cuts,
        versions={table.name: version for table, version in zip(tables, versions, strict=True)},
        newest_day=seen["newest"],
        leaking=leaking(*_of(few, identity_map, daily, orders), few, test, compute=compute),
    )


def _of(
    profiles: DataFrame, identity_map: DataFrame, daily: DataFrame, orders: DataFrame
) -> tuple[DataFrame, DataFrame]:
    """What these profiles did and bought."""
    members = identity_map.join(profiles, on="profile_id", how="left_semi").select("actor_id", "profile_id")
    return profile_activity(daily, members), profile_orders(orders, members)

"""What was known at past moments of those who may be learned from: silver as it stands, and the Delta versions it was read at."""

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import end_of_day, features
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import snapshot
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting

_READ = ("profile_id", "activity_date", "view_count", "cart_count", "revenue", "first_at", "last_at")


class KnownProfiles:
    """At most `most` profiles, by a hash of the id, whose word on `purpose` allows it.

    first_day, newest_day: of the lake's events, UTC; the newest may not be over. members: actor_id, profile_id. activity, orders: of
    these profiles, what `features` reads; read and joined once, whoever asks how often.

    Raises:
        ModelError: the lake has no events. `job`: named in it.
    """

    def __init__(self, lake: Lake, *, purpose: str, most: int, job: str) -> None:
        tables = (SILVER_ACTIVITY_DAILY, SILVER_ORDERS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION)
        found = {table.name: snapshot(lake, table) for table in tables}
        self.versions = {name: version for name, (_, version) in found.items()}
        daily, orders, identity_map, activation = (found[table.name][0] for table in tables)
        seen = daily.agg(F.min("activity_date").alias("first"), F.max("activity_date").alias("newest")).first()
        if seen is None or seen["first"] is None:
            raise ModelError(
                f"{job}: nothing to learn from, got an empty {SILVER_ACTIVITY_DAILY.name}, expected events. Run ./spark-submit.sh streaming"
            )
        self.first_day: date = seen["first"]
        self.newest_day: date = seen["newest"]
        willing = consenting(identity_map.select("profile_id").distinct(), activation, purpose, lake.config)
        self.profiles = willing.orderBy(F.xxhash64("profile_id"), "profile_id").limit(most).localCheckpoint()
        of_profiles = identity_map.join(self.profiles, on="profile_id", how="left_semi")
        self.members = of_profiles.select("actor_id", "profile_id")
        activity = profile_activity(daily, self.members).select(*_READ)
        bought = profile_orders(orders, self.members).select("profile_id", "ordered_at")
        self.activity, self.orders = (frame.localCheckpoint(eager=False) for frame in (activity, bought))

    @property
    def last_whole_day(self) -> date:
        return self.newest_day - timedelta(days=1)

    def at(self, days: Sequence[date], *columns: str | Column, where: str = "true") -> list[pd.DataFrame]:
        """Of each day the columns over FEATURES at its end, by profile_id, of who was known by then; at most `most` rows each."""
        ends = F.array(*(F.lit(end_of_day(day)) for day in days))
        moments = self.profiles.select("profile_id", F.explode(ends).alias("as_of"))
        known = features(self.activity, self.orders, moments).where(where)
        told = known.select("profile_id", F.to_date("as_of").alias("_day"), *columns).toPandas()
        by_profile = told.set_index("profile_id").sort_index()
        return [by_profile[by_profile["_day"] == day].drop(columns="_day") for day in days]

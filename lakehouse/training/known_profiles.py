"""What was known at past days of those who may be learned from: silver as it stands, and the Delta versions it was read at."""

from datetime import date, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame
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


class KnownProfiles:
    """At most `most` profiles, by a hash of the id, whose word on `purpose` allows it. first_day, last_whole_day: of the lake's events, UTC.

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
        self.last_whole_day: date = seen["newest"] - timedelta(days=1)
        willing = consenting(identity_map.select("profile_id").distinct(), activation, purpose, lake.config)
        self.profiles: DataFrame = willing.orderBy(F.xxhash64("profile_id"), "profile_id").limit(most)
        members = identity_map.join(self.profiles, on="profile_id", how="left_semi").select("actor_id", "profile_id")
        self._activity = profile_activity(daily, members)
        self._orders = profile_orders(orders, members)

    def at(self, day: date, *columns: str | Column, where: str = "true") -> pd.DataFrame:
        """The columns over FEATURES at the end of the day, by profile_id, of who was known by then; at most `most` rows."""
        rows = features(self._activity, self._orders, end_of_day(day)).where(where)
        return rows.select("profile_id", *columns).toPandas().set_index("profile_id").sort_index()

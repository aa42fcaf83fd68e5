"""gold.changes, kept: what the commits of gold.activation changed is told once, whoever wrote them and wherever they died."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from pyspark.sql import functions as F

from lakehouse.lake import change_feed
from lakehouse.lake.delta import Lake, arrow
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.changes import GOLD_CHANGES, changes

Places = Callable[[Collection[str]], Mapping[str, str]]
"""actor_ids -> the profile each is in; an actor that is in none is left out."""


class ChangeLog:
    """Of one lake. Remembers how far it has told; the table says so at the start and after a failure."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._told_to: int | None = None
        self._forgotten_on: date | None = None

    def tell(self, places: Places, now: datetime) -> None:
        """Add what changed since it was told last, or everybody where that cannot be known; let go what is too old."""
        told_to, self._told_to = self._told_to, None
        if told_to is None:
            told_to = self._newest()
        version = change_feed.number(self._lake, GOLD_ACTIVATION)
        touched = self._touched(told_to, version)
        gone = touched.loc[~touched["is_there"].astype(bool), "profile_id"].tolist()
        plain_now = now.astimezone(UTC).replace(tzinfo=None)
        rows = changes(touched, places(gone) if gone else {}, version=version, changed_at=plain_now)
        self._lake.add(arrow(rows, GOLD_CHANGES), GOLD_CHANGES)
        if len(rows):
            self._forget(now)
        self._told_to = version

    def _newest(self) -> int | None:
        """The version told last. By time: of another table that stood in this place the numbers may be larger."""
        last = F.max_by("version", F.struct("changed_at", "version"))
        row = self._lake.read(GOLD_CHANGES).agg(last).first()
        return None if row is None else row[0]

    def _touched(self, told_to: int | None, version: int) -> pd.DataFrame:
        if told_to is not None and told_to <= version:
            touched = change_feed.touched(self._lake, GOLD_ACTIVATION, after=told_to, to=version)
            if touched is not None:
                return touched
        return self._everybody()  # never told, another table in the same place, or the feed is cut off

    def _everybody(self) -> pd.DataFrame:
        """[profile_id, is_there] of every profile there is, and of those that were told of and are no more."""
        there = self._lake.read(GOLD_ACTIVATION).select("profile_id", F.lit(True).alias("is_there"))
        told = self._lake.read(GOLD_CHANGES).select("profile_id").distinct()
        gone = told.join(there, on="profile_id", how="left_anti").withColumn("is_there", F.lit(False))
        everybody: pd.DataFrame = there.unionByName(gone).toArrow().to_pandas()
        return everybody

    def _forget(self, now: datetime) -> None:
        """Once a day. What was told last stays: it says how far."""
        if self._forgotten_on != now.date():
            days = self._lake.config.profiles.changes_days
            self._lake.delete_before(GOLD_CHANGES, "changed_at", now - timedelta(days=days))
            self._forgotten_on = now.date()

"""The lake's clock: the time of day while events are of these days, else the newest event."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY


class LakeClock:
    """Of one lake. Remembers the newest event; across restarts the table does."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._newest: datetime | None = None

    def as_of(self, now: datetime, newest: datetime | None = None) -> datetime | None:
        """What time it is in the lake, UTC without a zone; None = no event was ever there. `newest`: of the events that come in.

        It goes on whether or not an event comes; a lake of an older history, or one that is being read in, stands at its newest event. So what time
        does to a profile shows without an event, and history is told as it was.
        """
        last = self.newest_event(newest)
        here = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
        if last is None or here - last > timedelta(hours=self._lake.config.profiles.live_hours):
            return last
        return max(last, here)

    def newest_event(self, newest: datetime | None = None) -> datetime | None:
        """The newest event any profile has seen."""
        if self._newest is None:
            row = self._lake.read(SILVER_ACTIVITY_DAILY).agg(F.max("last_at")).first()
            self._newest = row[0] if row else None
        known = [time for time in (self._newest, newest) if time is not None]
        self._newest = max(known, default=None)
        return self._newest

    def forget(self) -> None:
        """Rows were deleted: look again."""
        self._newest = None

"""Whether as many rows came in an hour as usual: the median of that hour of the days before, since a shop has nights."""

from collections import Counter
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pyarrow as pa

from lakehouse.quality.windows import volume_row
from lakehouse.tables.contract import Table
from lakehouse.tables.expectation import Volume

HOURLY = "hourly_volume"
HOUR = timedelta(hours=1)
FEWEST_DAYS = 3  # before, of which something is known; fewer are no custom


def start_of_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def judged(table: Table, expected: Volume, stored: pa.Table, hour: datetime, now: datetime) -> dict[str, Any]:
    """The row of ops.data_quality about the hour. `stored`: rows `volume` of the table, of the hour and the days before."""
    by_hour = Counter[datetime]()
    for start, rows in zip(stored["window_start"].to_pylist(), stored["row_count"].to_pylist(), strict=True):
        by_hour[start_of_hour(start)] += rows
    before = [hour - timedelta(days=day) for day in range(1, expected.days + 1)]
    known = [by_hour[past] for past in before if past in by_hour]
    usual = median(known) if len(known) >= FEWEST_DAYS else 0
    got, is_usual = by_hour[hour], usual >= expected.least_rows
    share = got / usual if is_usual else None
    row = volume_row(table, HOURLY, got)
    row |= {"share": share, "least": expected.low, "most": expected.high}
    row |= {"is_met": None if share is None else expected.low <= share <= expected.high}
    return row | {"window_start": hour, "window_end": hour + HOUR, "judged_at": now}

"""An hour's rows beside that hour of the days before."""

from datetime import timedelta

import pyarrow as pa
import pytest

from lakehouse.lake.delta import arrow_schema
from lakehouse.quality.volume import HOUR, judged, start_of_hour
from lakehouse.quality.windows import VOLUME, volume_row
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.expectation import Volume
from lakehouse.tables.quality import OPS_DATA_QUALITY
from tests.small_lake import at

NINE = at("03-10 09:00")
EXPECTED = Volume(low=0.5, high=2.0, days=7, least_rows=100)


def stored(rows_by_day: dict[int, int]) -> pa.Table:
    """Windows of two minutes, so many days ago; more come in the hours beside, which are another matter."""
    told = []
    for day, rows in rows_by_day.items():
        for minute, part in ((0, rows // 2), (58, rows - rows // 2), (-1, 7777), (60, 7777)):
            start = NINE - timedelta(days=day) + timedelta(minutes=minute)
            when = {"window_start": start, "window_end": start, "judged_at": start}
            told.append(volume_row(SILVER_EVENTS, VOLUME, part) | when)
    return pa.Table.from_pylist(told, schema=arrow_schema(OPS_DATA_QUALITY))


@pytest.mark.parametrize(
    ("by_day", "share", "is_met"),
    [
        ({0: 500, 1: 1000, 2: 1000, 3: 9999}, 0.5, True),
        ({0: 499, 1: 1000, 2: 1000, 3: 10}, 0.499, False),
        ({0: 2001, 1: 1000, 2: 1000, 3: 1000}, 2.001, False),
        ({1: 1000, 2: 1000, 3: 1000}, 0.0, False),
        ({0: 500, 1: 1000, 2: 1000}, None, None),
        ({0: 500, 1: 1000, 2: 1000, 8: 1000}, None, None),
        ({0: 500, 1: 99, 2: 99, 3: 99}, None, None),
    ],
)
def test_an_hour_is_as_its_median_of_the_days_before(
    by_day: dict[int, int], share: float | None, is_met: bool | None
) -> None:
    row = judged(SILVER_EVENTS, EXPECTED, stored(by_day), NINE, NINE + HOUR)
    assert (row["row_count"], row["share"], row["is_met"]) == (by_day.get(0, 0), share, is_met)
    assert (row["window_start"], row["window_end"], row["expectation"]) == (NINE, at("03-10 10:00"), "hourly_volume")


def test_an_hour_begins_with_its_first_microsecond() -> None:
    assert start_of_hour(at("03-10 09:59:59.999999")) == NINE
    assert start_of_hour(NINE) == NINE

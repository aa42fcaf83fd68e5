"""The simulated calendar: 120 days that end with 2026-10-31, never the wall clock. Instants are UTC milliseconds."""

from bisect import bisect
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
DAYS = 120
END = datetime(2026, 11, 1, tzinfo=UTC)  # exclusive
END_MS = int(END.timestamp()) * SECOND_MS
START_MS = END_MS - DAYS * DAY_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAY = (0.85, 0.85, 0.9, 0.95, 1.15, 1.35, 1.2)  # Monday first
_HOUR = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 14, 13, 12, 12, 13, 15, 18, 20, 20, 16, 9, 4)
HOLIDAY_SALE = range(63, 68)  # Labor Day weekend, 2026-09-05 to 2026-09-09
_HOLIDAY_FACTOR = 2.4


def _day_weight(day: int) -> float:
    weekday = (END + timedelta(days=day - DAYS)).weekday()
    return _WEEKDAY[weekday] * (_HOLIDAY_FACTOR if day in HOLIDAY_SALE else 1.0)


DAY_WEIGHTS = tuple(_day_weight(day) for day in range(DAYS))
_DAYS_UP_TO = tuple(accumulate(DAY_WEIGHTS, initial=0.0))
_HOURS_UP_TO = tuple(accumulate(_HOUR))


def draw_day(rng: Random, first: int, last: int) -> int:
    """A day in [first, last], by demand: weekday and holiday."""
    low, high = _DAYS_UP_TO[first], _DAYS_UP_TO[last + 1]
    return min(bisect(_DAYS_UP_TO, low + rng.random() * (high - low)) - 1, last)


def draw_instant(rng: Random, day: int) -> int:
    """A time of that day, by hour of demand; at least two hours before the end of the calendar."""
    hour = bisect(_HOURS_UP_TO, rng.random() * _HOURS_UP_TO[-1])
    at = START_MS + day * DAY_MS + hour * HOUR_MS + int(rng.random() * HOUR_MS)
    return min(at, END_MS - 2 * HOUR_MS)


@cache
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def iso(ms: int) -> str:
    """ISO 8601 with milliseconds, as Segment's libraries write it: 2026-07-04T09:30:00.000Z."""
    day, rest = divmod(ms, DAY_MS)
    seconds, millis = divmod(rest, SECOND_MS)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date(day)}T{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"


def instant(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)

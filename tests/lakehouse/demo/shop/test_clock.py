from datetime import UTC, datetime
from random import Random

import pytest

from lakehouse.demo.shop.clock import DAYS, END_MS, START_MS, draw_day, draw_instant, instant, iso


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (START_MS, "2026-07-04T00:00:00.000Z"),
        (END_MS - 1, "2026-10-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_instants_are_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert iso(ms) == text
    assert instant(ms) == datetime.fromisoformat(text).astimezone(UTC)


def test_days_are_drawn_within_their_bounds_and_instants_within_the_calendar() -> None:
    rng = Random(1)
    assert {draw_day(rng, 4, 6) for _ in range(200)} == {4, 5, 6}
    assert {draw_day(rng, DAYS - 1, DAYS - 1) for _ in range(20)} == {DAYS - 1}
    assert all(START_MS <= draw_instant(rng, day) < END_MS for day in (0, DAYS - 1) for _ in range(500))

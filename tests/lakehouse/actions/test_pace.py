from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.actions.pace import Breaker, Bucket, backoff, quiet_until
from lakehouse.config.declarations import QuietHours


@given(st.floats(0.1, 50), st.lists(st.floats(-5, 5), min_size=50, max_size=300))
@settings(deadline=None, max_examples=60)
def test_never_more_than_the_rate_and_a_burst_whatever_the_clock_does(rate: float, steps: list[float]) -> None:
    bucket, now, ahead, taken = Bucket(rate), 1000.0, 0.0, 0
    for step in steps:
        now += step
        ahead += max(step, 0.0)  # the time that ever passed, however often it was set back
        if bucket.wait(now) == 0:
            bucket.take()
            taken += 1
    assert taken <= max(1.0, rate) + ahead * rate + 1e-6


def test_it_goes_as_fast_as_it_may() -> None:
    bucket, now, taken = Bucket(5), 0.0, 0
    while now < 20:
        pause = bucket.wait(now)
        if pause == 0:
            bucket.take()
            taken += 1
        now += max(pause, 0.001)
    assert taken == pytest.approx(5 + 20 * 5, abs=2)


def test_the_breaker_opens_after_failures_in_a_row_tries_one_and_doubles() -> None:
    breaker = Breaker(failures=3, seconds=5, most_seconds=15)
    for _ in range(2):
        breaker.failed(0)
    assert breaker.wait(0) == 0
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(100)
    assert breaker.wait(100) == 5
    assert breaker.wait(105) == 0
    breaker.failed(105)
    assert breaker.wait(105) == 10
    for _ in range(9):
        breaker.failed(200)
    assert breaker.wait(200) == 15
    assert breaker.wait(-1e9) == 15  # set back
    breaker.succeeded()
    assert breaker.wait(200) == 0


def test_pauses_double_up_to_the_longest_and_spread() -> None:
    pauses = [backoff(n, "x", first=2, most=100) for n in range(1, 9)]
    assert all(
        0.8 * plain <= pause <= plain for pause, plain in zip(pauses, [2, 4, 8, 16, 32, 64, 100, 100], strict=True)
    )
    assert len({backoff(3, f"key-{n}", first=2, most=100) for n in range(20)}) == 20
    assert backoff(10_000, "x", first=2, most=100) <= 100


BERLIN = QuietHours.model_validate({"from": "21:00", "to": "08:00", "zone": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10T19:59", None),  # 20:59 in Berlin
        ("2026-01-10T20:00", "2026-01-11T07:00"),
        ("2026-01-11T06:59", "2026-01-11T07:00"),
        ("2026-01-11T07:00", None),
        ("2026-03-28T22:00", "2026-03-29T06:00"),  # clocks go forward that night
        ("2026-10-24T22:00", "2026-10-25T07:00"),  # and back
    ],
)
def test_quiet_hours_end_by_the_local_clock(now: str, until: str | None) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert quiet_until(BERLIN, at) == (None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC))


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(TIMES, TIMES, st.sampled_from(ZONES), MOMENTS)
@settings(max_examples=150, deadline=None)
def test_after_the_quiet_hours_it_is_loud_or_they_begin_anew(start, end, zone, now) -> None:  # type: ignore[no-untyped-def]
    quiet = QuietHours.model_validate({"from": start, "to": end, "zone": zone})
    until = quiet_until(quiet, now)
    if until is None:
        assert not quiet.hold(now)
        return
    assert quiet.hold(now)
    assert now < until
    assert (until - now).total_seconds() <= 25 * 3600
    local = until.astimezone(ZoneInfo(zone)).time()
    assert local == end or not quiet.hold(until) or start == end


NIGHTS = {  # the UTC day around which clocks are set, and the zone
    "Europe/Berlin": (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, tzinfo=UTC)),
}
NEAR = st.times(time(0), time(4)).map(lambda one: one.replace(second=0, microsecond=0))


@given(st.sampled_from(sorted(NIGHTS)), st.booleans(), TIMES, NEAR, st.integers(-180, 300))
@example("Europe/Berlin", True, time(2, 1), time(0, 0), 1)  # set back over the beginning: loud for a minute
@settings(max_examples=120, deadline=None)
def test_where_clocks_are_set_it_is_the_first_minute_that_is_loud(
    zone: str, is_forward: bool, start: time, end: time, minutes: int
) -> None:
    quiet = QuietHours.model_validate({"from": start, "to": end, "zone": zone})
    now = NIGHTS[zone][is_forward] + timedelta(minutes=minutes)
    later = (now + timedelta(minutes=n) for n in range(26 * 60))
    loud = next(at for at in later if not quiet.hold(at))
    assert quiet_until(quiet, now) == (None if loud == now else loud)

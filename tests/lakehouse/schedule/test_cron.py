"""Times of a schedule, held to what APScheduler and croniter's users mean by them."""

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.schedule.cron import DAYS, parse

START = datetime(2026, 2, 27, 22, 13, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("text", "plain", "quartz"),
    [
        ("0 2 * * *", "0 2 * * *", "0 0 2 * * ?"),
        ("*/15  8-18 * * MON-FRI", "*/15 8-18 * * mon,tue,wed,thu,fri", "0 0/15 8-18 ? * MON,TUE,WED,THU,FRI"),
        ("5,35 0 1,15 */3 *", "5,35 0 1,15 */3 *", "0 5,35 0 1,15 1/3 ?"),
        ("0 0 29,30 2 *", "0 0 29,30 2 *", "0 0 0 29,30 2 ?"),
        ("0 0 31 */2 *", "0 0 31 */2 *", "0 0 0 31 1/2 ?"),
        ("0 0 * * sat-sun,wed", "0 0 * * wed,sat,sun", "0 0 0 ? * WED,SAT,SUN"),
    ],
)
def test_times_are_written_as_each_scheduler_reads_them(text: str, plain: str, quartz: str) -> None:
    cron = parse(text)
    assert (cron.text, cron.quartz) == (plain, quartz)
    assert parse(cron.text) == cron


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("daily", "expected 'minute hour day month weekday'"),
        (None, "got 'None'"),
        ("60 2 * * *", "got '60' for the minute, expected .* numbers from 0 to 59"),
        ("0 5-2 * * *", "for the hour"),
        ("0 0 0 * *", "numbers from 1 to 31"),
        ("*/0 * * * *", "for the minute"),
        ("0 0 * * 0", "names from mon to sun"),
        ("0 0 * * fri-mon", "names from mon to sun"),
        ("0 0 1 * mon", "expected \\* for one of them"),
        ("@daily * * * *", "for the minute"),
        ("0 0 31 2 *", "got day '31' of month '2', expected a day that comes"),
        ("0 0 30-31 2 *", "a day that comes"),
        ("0 0 31 4,6,9-9,11 *", "a day that comes"),
    ],
)
def test_what_schedulers_read_differently_or_not_at_all_is_refused(text: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(text)


@given(
    minute=st.sampled_from(["*", "*/20", "0", "7,50", "10-12"]),
    hour=st.sampled_from(["*", "*/6", "3", "1-3,22"]),
    day=st.sampled_from(["*", "1", "10-12,31"]),
    month=st.sampled_from(["*", "3", "*/2"]),
    weekday=st.sampled_from(["*", "sun", "fri-sun", "mon,thu"]),
)
def test_the_scheduler_fires_at_the_first_minute_that_every_field_names(
    minute: str, hour: str, day: str, month: str, weekday: str
) -> None:
    cron = parse(f"{minute} {hour} {'*' if weekday != '*' else day} {month} {weekday}")
    times = CronTrigger(
        minute=cron.minute, hour=cron.hour, day=cron.day, month=cron.month, day_of_week=cron.weekday, timezone="UTC"
    )
    found = times.get_next_fire_time(None, START)
    at = START
    while not named(cron.text, at):
        at += step(cron.text, at)
    assert found == at


def named(text: str, at: datetime) -> bool:
    minute, hour, day, month, weekday = text.split()
    numbers = [(minute, at.minute, 0), (hour, at.hour, 0), (day, at.day, 1), (month, at.month, 1)]
    return all(holds(*one) for one in numbers) and (weekday == "*" or DAYS[at.weekday()] in weekday.split(","))


def holds(field: str, number: int, least: int) -> bool:
    if field == "*":
        return True
    if field.startswith("*/"):
        return (number - least) % int(field[2:]) == 0
    spans = [part.split("-") for part in field.split(",")]
    return any(int(span[0]) <= number <= int(span[-1]) for span in spans)


def step(text: str, at: datetime) -> timedelta:
    """To the next minute, or over a whole day that cannot be the one."""
    day_is_named = named(f"* * {' '.join(text.split()[2:])}", at)
    return timedelta(minutes=1) if day_is_named else timedelta(days=1) - timedelta(hours=at.hour, minutes=at.minute)

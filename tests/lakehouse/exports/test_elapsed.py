from datetime import timedelta

from lakehouse.exports.elapsed import has_passed
from tests.accepted import at

NOON, PAUSE = at("2026-03-01 12:00"), timedelta(seconds=5)


def test_a_pause_is_over_when_it_has_gone_by_or_the_clock_was_set_back_behind_it() -> None:
    assert [has_passed(NOON, NOON + timedelta(seconds=ago), PAUSE) for ago in (0, 4.9, 5, -0.1, -3600)] == [
        *(False, False, True),
        *(True, True),
    ]
    assert has_passed(None, NOON, PAUSE)

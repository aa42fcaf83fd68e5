"""A query's lag by hand: where the topic ended, up to where it was read."""

import pytest

from lakehouse.monitoring.lag import Lag, ends_of


def test_what_is_read_to_the_end_waits_since_the_plan_was_made() -> None:
    lag = Lag(started_at=100.0)
    lag.took(110.0, read={"e-0": 5, "e-1": 2}, there={"e-0": 5, "e-1": 2})
    assert (lag.offsets, lag.read_until) == (0, 110.0)


def test_who_reads_less_than_there_is_is_as_late_as_the_newest_end_it_has_passed() -> None:
    lag = Lag(started_at=100.0)
    lag.took(110.0, read={"e-0": 10}, there={"e-0": 30})
    lag.took(120.0, read={"e-0": 20}, there={"e-0": 50})
    assert (lag.offsets, lag.read_until) == (30, 100.0), "the end of 110 is not reached"
    lag.took(130.0, read={"e-0": 30}, there={"e-0": 60})
    assert (lag.offsets, lag.read_until) == (30, 110.0), "exactly the end of 110"
    lag.took(140.0, read={"e-0": 55}, there={"e-0": 61})
    assert (lag.offsets, lag.read_until) == (6, 120.0)


def test_one_partition_that_is_not_read_holds_all_of_it_back() -> None:
    lag = Lag(started_at=100.0)
    lag.took(110.0, read={"e-0": 10}, there={"e-0": 10, "e-1": 4})
    assert (lag.offsets, lag.read_until) == (4, 100.0)


def test_a_query_that_found_nothing_is_not_behind() -> None:
    lag = Lag(started_at=100.0)
    lag.took(110.0, read={"e-0": 10}, there={"e-0": 30})
    lag.idle(150.0)
    assert (lag.offsets, lag.read_until) == (0, 150.0)


def test_without_the_oldest_moments_it_is_told_too_long_never_too_short() -> None:
    lag = Lag(started_at=0.0)
    for second in range(1, 3001):
        lag.took(second, read={"e-0": second - 1500}, there={"e-0": second})
    assert lag.offsets == 1500
    assert 3000 - lag.read_until >= 1500


@pytest.mark.parametrize("offset", ["None", "7", "[]", '{"events": 7}', '{"events": {"0": null}}', ""])
def test_another_source_has_no_ends(offset: str) -> None:
    assert ends_of(offset) is None

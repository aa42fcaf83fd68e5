from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serving.state.rates import Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(0.1, 50),
    gaps=st.lists(st.floats(0, 3), max_size=60),
)
def test_in_no_span_are_more_let_in_than_the_rate_and_a_full_bucket(rate: float, gaps: list[float]) -> None:
    clock, let_in = Clock(), []
    rates = Rates(rate, clock=clock)
    for gap in gaps:
        clock.now += gap
        if rates.wait("a") == 0:
            let_in.append(clock.now)
    for first, since in enumerate(let_in):
        for last, until in enumerate(let_in[first:], start=first):
            assert last - first + 1 <= max(1.0, 2 * rate) + (until - since) * rate + 1e-6


@given(rate=st.floats(0.1, 50), asked=st.integers(1, 200))
def test_who_waits_as_long_as_told_is_let_in(rate: float, asked: int) -> None:
    clock = Clock()
    rates = Rates(rate, clock=clock)
    waits = [rates.wait("a") for _ in range(asked)]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    clock.now += waits[-1]
    assert not waits[-1] or rates.wait("a") == 0


def test_callers_do_not_share_and_are_not_remembered_without_end() -> None:
    rates = Rates(1, most=3, clock=Clock())
    assert [rates.wait(name) for name in ("a", "a", "a", "b")] == [0, 0, 1, 0]
    for number in range(100):
        rates.wait(str(number))
    assert rates.callers == 3


def test_without_a_limit_nobody_waits_and_nobody_is_remembered() -> None:
    rates = Rates(0)
    assert not rates.is_on
    assert [rates.wait("a") for _ in range(1000)] == [0] * 1000
    assert rates.callers == 0

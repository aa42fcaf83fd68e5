import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.demo.report.status import CLEAR, StatusLine, bar, fit


class Screen(io.StringIO):
    """A terminal in memory. `encoding` is what it claims to understand."""

    def __init__(self, *, is_live: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self.is_live, self.claimed = is_live, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.claimed

    def isatty(self) -> bool:
        return self.is_live

    @property
    def frames(self) -> list[str]:
        return self.getvalue().split(CLEAR)[1:]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_terminal_shows_one_line_redrawn_in_place(clock: Clock) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=clock, width=lambda: 160)
    status.update(produced=1000, bronze=500, phase="stream")
    clock.now += 1
    status.update(bronze=1000, gold=250)
    assert screen.frames == [
        "0:00 stream  produced 1,000  bronze █████░░░░░ 500",
        "0:01 stream  produced 1,000  bronze ██████████ 1,000  gold ██░░░░░░░░ 250",
    ]
    assert "\n" not in screen.getvalue()


def test_the_rate_is_the_mean_of_the_last_seconds_at_the_furthest_layer(clock: Clock) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=clock, width=lambda: 160)
    for second in range(8):
        status.update(produced=10_000, gold=1000 * second if second < 4 else 4000 + 100 * (second - 4))
        clock.now += 1
    assert screen.frames[3].endswith("  1,000/s")
    # From 2,000 five seconds ago to 4,300 now.
    assert screen.frames[-1].endswith(f"  {(4300 - 2000) // 5:,}/s")


def test_a_layer_counted_for_the_first_time_makes_no_leap_in_the_rate(clock: Clock) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=clock, width=lambda: 160)
    status.update(bronze=90_000)
    clock.now += 1
    status.update(bronze=90_000, gold=10)
    assert not screen.frames[-1].endswith("/s")


def test_a_terminal_is_not_redrawn_faster_than_eyes_follow(clock: Clock) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=clock, width=lambda: 160)
    for count in range(50):
        status.update(produced=count)
        clock.now += 0.01
    assert len(screen.frames) <= 6


def test_a_file_gets_a_plain_line_every_few_seconds(clock: Clock) -> None:
    file = Screen(is_live=False)
    status = StatusLine(file, clock=clock, interval_seconds=5)
    for second in range(11):
        status.update(produced=second, phase="stream")
        clock.now += 1
    assert file.getvalue().splitlines() == [
        "0:00 stream  produced 0",
        "0:05 stream  produced 5  1/s",
        "0:10 stream  produced 10  1/s",
    ]


def test_closing_shows_the_last_state_once(clock: Clock) -> None:
    file = Screen(is_live=False)
    with StatusLine(file, clock=clock) as status:
        status.update(produced=1)
        status.update(produced=2)
    status.close()
    assert [line.split("  ")[1] for line in file.getvalue().splitlines()] == ["produced 1", "produced 2"]


def test_closing_a_terminal_leaves_the_line_behind(clock: Clock) -> None:
    screen = Screen()
    StatusLine(screen, clock=clock).close()
    assert screen.getvalue() == ""
    with StatusLine(screen, clock=clock, width=lambda: 80) as status:
        status.update(produced=1)
    assert screen.getvalue().endswith("produced 1\n")


def test_a_note_stays_above_the_line(clock: Clock) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=clock, width=lambda: 80)
    status.update(produced=1)
    status.note("too few profiles for a model")
    assert screen.getvalue().endswith(f"{CLEAR}too few profiles for a model\n0:00  produced 1")
    file = Screen(is_live=False)
    StatusLine(file, clock=clock).note("too few")
    assert file.getvalue() == "too few\n"


def test_a_terminal_without_unicode_gets_plain_bars(clock: Clock) -> None:
    screen = Screen(encoding="ascii")
    StatusLine(screen, clock=clock, width=lambda: 80).update(produced=2, gold=1)
    assert "#####....." in screen.frames[0]
    assert screen.getvalue().isascii()


@given(st.integers(1, 200), st.integers(0, 10**12), st.text(max_size=40).filter(str.isprintable))
def test_the_line_never_reaches_the_last_column(width: int, count: int, phase: str) -> None:
    screen = Screen()
    status = StatusLine(screen, clock=Clock(), width=lambda: width)
    status.update(produced=count, bronze=count, silver=count // 2, gold=count // 3, phase=phase)
    assert len(screen.frames[0]) <= max(width - 1, 0)


@given(st.floats(0, 1))
def test_a_bar_is_full_only_when_all_is_done_and_empty_only_when_nothing_is(done: float) -> None:
    drawn = bar(done, "#.")
    assert len(drawn) == 10
    assert (drawn == "#" * 10) == (done == 1)
    assert (drawn == "." * 10) == (done == 0)


def test_what_does_not_fit_is_left_out_whole() -> None:
    assert fit(["0:12 stream", "bronze 10", "silver 9"], 23) == "0:12 stream  bronze 10"
    assert fit(["0:12 stream", "bronze 10"], 21) == "0:12 stream"
    assert fit(["0:12 stream"], 4) == "0:12"

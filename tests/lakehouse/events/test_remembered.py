"""What was asked before is not worked out again, and what is kept of it has bounds."""

from typing import Any

import pytest

from lakehouse.events.remembered import Remembered


def test_a_question_is_answered_once() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    lengths = Remembered(length)
    assert [lengths["abc"], lengths["abc"], lengths["de"]] == [3, 3, 2]
    assert asked == ["abc", "de"]


def test_no_more_than_so_many_are_kept() -> None:
    lengths = Remembered[str, int](len, most=10)
    assert [lengths[str(number)] for number in range(95, 130)] == [2] * 5 + [3] * 30
    assert len(lengths) <= 10


@pytest.mark.parametrize(
    ("question", "is_kept"),
    [("x" * 9, True), ("x" * 10, False), (("a",) * 10, False), (2**9, False), (7, True), (1e300, True)],
)
def test_what_is_long_is_answered_and_not_kept(question: Any, is_kept: bool) -> None:
    echo = Remembered[Any, Any](lambda asked: asked, longest=10)
    assert echo[question] == question
    assert (question in echo) == is_kept

"""Answers that are kept by what they were asked about: most of what an event holds was in another one before."""

from collections.abc import Callable
from typing import Any, TypeVar

_MOST = 50_000
Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Remembered(dict[Question, Answer]):
    """Question -> answer, made where it is asked for first. `remembered[question]` is no call of ours where the answer is known.

    A question of `longest` characters, names or bits is answered, and not kept; of `most` questions all are forgotten. So what a
    hostile sender can fill is bounded. Thread-safe: an answer may be made twice.
    """

    def __init__(self, answer: Callable[[Question], Answer], *, most: int = _MOST, longest: int = 300) -> None:
        super().__init__()
        self.answer, self._most, self._longest = answer, most, longest

    def __missing__(self, question: Question) -> Answer:
        answer = self.answer(question)
        if _length(question) < self._longest:
            if len(self) >= self._most:
                self.clear()
            self[question] = answer
        return answer


def _length(question: Any) -> int:
    if isinstance(question, int):
        return question.bit_length()
    return 0 if isinstance(question, float) else len(question)

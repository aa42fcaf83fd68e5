"""Answers that are kept by what they were asked about: most of what an event holds was in another one before."""

from collections.abc import Callable
from typing import Any, TypeVar

_MOST = 50_000
Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Kept(dict[Question, Answer]):
    """Question -> answer, of those that were kept.

    A question of `longest` characters, names or bits is not kept; of `most` questions all are forgotten. So what a hostile sender can
    fill is bounded. Thread-safe.
    """

    def __init__(self, *, most: int = _MOST, longest: int = 300) -> None:
        super().__init__()
        self._most, self._longest = most, longest

    def keep(self, question: Question, answer: Answer) -> Answer:
        """The answer."""
        if _length(question) < self._longest:
            if len(self) >= self._most:
                self.clear()
            self[question] = answer
        return answer


class Remembered(Kept[Question, Answer]):
    """The same, made where it is asked for first. `remembered[question]` is no call of ours where the answer is known. An answer may be made twice."""

    def __init__(self, answer: Callable[[Question], Answer], *, most: int = _MOST, longest: int = 300) -> None:
        super().__init__(most=most, longest=longest)
        self.answer = answer

    def __missing__(self, question: Question) -> Answer:
        return self.keep(question, self.answer(question))


def _length(question: Any) -> int:
    if isinstance(question, int):
        return question.bit_length()
    return 0 if isinstance(question, float) else len(question)

"""Questions to a store across a network: one thread asks, and what came while it asked is asked together next.

A thread for each question would cost more than the answer; and the busier the service, the more questions share an exchange.
"""

import asyncio
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
_MOST_TOGETHER = 64


class SharedReads(Generic[Q, A]):
    """`answer`: called in the thread, with at least one question; gives an answer or an error to each."""

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._answer = answer
        self._waiting: SimpleQueue[tuple[Q, asyncio.Future[A]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="online-reader", daemon=True)
        self._thread.start()

    async def ask(self, question: Q, seconds: float) -> A:
        """Raises what `answer` raised or gave, or TimeoutError after so many seconds."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        timer = loop.call_later(seconds, _expire, future)
        self._waiting.put((question, future))
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """Answer what waits, and end."""
        self._waiting.put(None)
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            together = [first]
            while len(together) < _MOST_TOGETHER and not self._waiting.empty():
                if (waiting := self._waiting.get()) is None:
                    self._waiting.put(None)
                    break
                together.append(waiting)
            wanted = [(question, future) for question, future in together if not future.done()]
            if wanted:
                self._settle(wanted)

    def _settle(self, wanted: "Sequence[tuple[Q, asyncio.Future[A]]]") -> None:
        answers: Sequence[A | Exception]
        try:
            answers = self._answer([question for question, _ in wanted])
        except Exception as error:
            answers = [error] * len(wanted)
        futures = [future for _, future in wanted]
        futures[0].get_loop().call_soon_threadsafe(_tell, futures, answers)


def _tell(futures: "Sequence[asyncio.Future[A]]", answers: Sequence[A | Exception]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _expire(future: "asyncio.Future[A]") -> None:
    if not future.done():
        future.set_exception(TimeoutError())

"""Questions asked together by one thread."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from threading import Event

import pytest

from lakehouse.errors import StoreError
from serving.visitors.shared_reads import SharedReads

PATIENCE = 30.0


class Slow:
    """Answers with the double, once it is let; 13 has no answer, 666 breaks it."""

    def __init__(self) -> None:
        self.entered, self.go_on = Event(), Event()
        self.groups: list[list[int]] = []

    def __call__(self, questions: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(questions))
        self.entered.set()
        assert self.go_on.wait(PATIENCE)
        if 666 in questions:
            raise StoreError("away")
        return [StoreError("none") if one == 13 else 2 * one for one in questions]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def gathering(slow: Slow) -> Iterator[SharedReads[int, int]]:
    gathering = SharedReads[int, int](slow)
    yield gathering
    slow.go_on.set()
    gathering.close()


async def _after_first(
    gathering: SharedReads[int, int], slow: Slow, then: Callable[[], list[asyncio.Task[int]]]
) -> None:
    first = asyncio.create_task(gathering.ask(1, PATIENCE))
    await asyncio.to_thread(slow.entered.wait, PATIENCE)
    tasks = then()
    await asyncio.sleep(0)  # they have begun
    slow.go_on.set()
    assert await first == 2
    await asyncio.wait(tasks)


def test_what_comes_while_it_asks_is_asked_together(gathering: SharedReads[int, int], slow: Slow) -> None:
    tasks: list[asyncio.Task[int]] = []

    def many() -> list[asyncio.Task[int]]:
        tasks.extend(asyncio.create_task(gathering.ask(n, PATIENCE)) for n in range(10, 20))
        return tasks

    asyncio.run(_after_first(gathering, slow, many))
    assert slow.groups == [[1], list(range(10, 20))]
    assert [type(one.exception()) if n == 13 else one.result() for n, one in enumerate(tasks, 10)] == [
        StoreError if n == 13 else 2 * n for n in range(10, 20)
    ]


def test_a_question_nobody_waits_for_any_more_is_not_asked(gathering: SharedReads[int, int], slow: Slow) -> None:
    async def late() -> None:
        first = asyncio.create_task(gathering.ask(1, PATIENCE))
        await asyncio.to_thread(slow.entered.wait, PATIENCE)
        with pytest.raises(TimeoutError):
            await gathering.ask(2, 0.01)
        slow.go_on.set()
        assert (await first, await gathering.ask(3, PATIENCE)) == (2, 6)

    asyncio.run(late())
    assert slow.groups == [[1], [3]]


def test_an_answer_that_breaks_is_told_to_all_who_asked_and_the_next_are_answered(
    gathering: SharedReads[int, int], slow: Slow
) -> None:
    slow.go_on.set()

    async def broken() -> None:
        with pytest.raises(StoreError, match="away"):
            await gathering.ask(666, PATIENCE)
        assert await gathering.ask(4, PATIENCE) == 8

    asyncio.run(broken())

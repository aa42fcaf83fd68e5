"""Server-sent events of profiles that changed: nothing between two connections is missed, or it is said."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from serving.kafka.topic_reader import Received
from serving.visitors.profile_changes import Changes


def record(partition: int, offset: int) -> Received:
    return Received(partition, offset, orjson.dumps({"profile_id": f"{partition}-{offset}"}))


async def read(stream: AsyncIterator[bytes], count: int) -> list[tuple[str, str]]:
    """Id and profile of as many events; of one that is no profile, its name."""
    found = []
    while len(found) < count:
        fields = dict(line.split(": ", 1) for line in (await anext(stream)).decode().splitlines() if ": " in line)
        if "event" in fields:
            said = orjson.loads(fields["data"]).get("profile_id", fields["event"])
            found.append((fields.get("id", ""), said))
    return found


def run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10))


async def begun(changes: Changes, last_id: str = "") -> AsyncIterator[bytes]:
    stream = changes.stream(last_id)
    assert (await anext(stream)).startswith(b":")
    return stream


@pytest.mark.parametrize("seed", range(5))
def test_any_process_goes_on_from_any_id_that_another_gave(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        records = [[record(partition, offset) for offset in range(8)] for partition in range(3)]
        one, other = Changes(), Changes()
        for changes in (one, other):  # each its own order of partitions, as consumers have
            changes.begin({0: 0, 1: 0, 2: 0})
        stream, left = await begun(one), [list(part) for part in records]
        while any(left):
            one.handle([chance.choice([part for part in left if part]).pop(0)])
        told = await read(stream, 24)
        for part in chance.sample(records, 3):
            other.handle(part)
        cut = chance.randrange(1, 24)
        after = await read(await begun(other, told[cut - 1][0]), 24 - cut)
        assert sorted(name for _, name in told[:cut] + after) == sorted(f"{p}-{o}" for p in range(3) for o in range(8))

    run(scenario())


@pytest.mark.parametrize("last_id", ["nonsense", "0:0", "0:3.1:0", "0:99", "9:1", "0:-1", "\u0660:1"])
def test_who_asks_from_what_is_not_remembered_is_told_to_resync(last_id: str) -> None:
    async def scenario() -> None:
        changes = Changes(most_remembered=2)
        changes.begin({0: 0})
        changes.handle([record(0, offset) for offset in range(5)])
        assert await read(await begun(changes, last_id), 1) == [("0:5", "resync")]

    run(scenario())


def test_before_the_topic_is_read_nobody_is_told_that_all_is_well() -> None:
    async def scenario() -> None:
        assert await read(await begun(Changes(), "0:3"), 1) == [("", "resync")]

    run(scenario())


def test_a_slow_listener_is_told_to_resync_and_hears_what_comes_then() -> None:
    async def scenario() -> None:
        changes = Changes(most_waiting=3)
        changes.begin({0: 0})
        stream = await begun(changes)
        changes.handle([record(0, offset) for offset in range(5)])
        assert [name for _, name in await read(stream, 2)] == ["resync", "0-4"]

    run(scenario())


def test_when_reading_begins_anew_whoever_listens_is_told_that_some_are_missing() -> None:
    async def scenario() -> None:
        changes = Changes()
        changes.begin({0: 0})
        stream = await begun(changes)
        changes.handle([record(0, 0)])
        changes.begin({0: 7})
        changes.handle([record(0, 7)])
        assert [name for _, name in await read(stream, 3)] == ["0-0", "resync", "0-7"]
        assert [name for _, name in await read(await begun(changes, "0:1"), 1)] == ["resync"]

    run(scenario())


def test_a_line_break_ends_no_event_and_what_names_no_profile_is_none() -> None:
    async def scenario() -> None:
        changes = Changes()
        changes.begin({0: 0})
        stream = await begun(changes)
        values = [b"no json", b"[]", b'{"profile_id":\n"a",\r\n"version":1}']
        changes.handle([Received(0, offset, value) for offset, value in enumerate(values)])
        event = await anext(stream)
        assert re.fullmatch(rb'id: 0:3\nevent: profile\ndata: \{"profile_id": "a",  "version":1\}\n\n', event)
        changes.end()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(scenario())

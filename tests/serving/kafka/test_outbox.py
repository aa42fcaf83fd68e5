"""Records are kept in order whatever becomes of the broker: a real one, frozen and let go on. Killed under load: tests/benchmarks/spool.py."""

import asyncio
import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.machine import free_port
from serving.kafka.outbox import Outbox
from serving.kafka.producer import KafkaOut, Sending
from serving.kafka.record_frames import Record, frames
from serving.kafka.spool import Full, Spool, Unsent
from tests.serving.topic_values import values

PATIENCE_SECONDS = 60.0
MOST = 10_000_000


@pytest.fixture
def topic(kafka: RunningBroker) -> str:
    name = f"outbox-{uuid4().hex[:8]}"
    admin.create_topic(kafka, name, 1)
    return name


@contextmanager
def frozen(kafka: RunningBroker) -> Iterator[None]:
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(kafka.pid, signal.SIGCONT)


@asynccontextmanager
async def following(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.follow())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        outbox.close()


async def until_empty(outbox: Outbox) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while outbox.spooled_bytes:
            await asyncio.sleep(0.01)


def firsts(kafka: RunningBroker, topic: str) -> list[bytes]:
    """Every value of the topic once, by its first place."""
    return list(dict.fromkeys(values(kafka.bootstrap_servers, topic)))


def batch(topic: str, *numbers: int) -> list[Record]:
    return [Record(topic, b"visitor", str(number).encode()) for number in numbers]


def test_while_kafka_is_frozen_all_is_kept_and_then_sent_in_order(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    async def story() -> None:
        outbox = Outbox(KafkaOut(kafka), Spool(tmp_path, MOST))
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            assert await outbox.keep(batch(topic, 0, 1)) == 2
            assert outbox.spooled_bytes == 0
            with frozen(kafka):
                together = [asyncio.create_task(outbox.keep(batch(topic, number))) for number in range(2, 20)]
                assert [await one for one in together] == [1] * 18  # of those, none has been waited for twice
                started = time.monotonic()
                for number in range(20, 30):
                    assert await outbox.keep(batch(topic, number)) == 1
                assert time.monotonic() - started < 1.0, "Kafka is waited for though it is known to be away"
                assert outbox.spooled_bytes > 0
            await until_empty(outbox)
            assert await outbox.keep(batch(topic, 30)) == 1
            assert list(tmp_path.glob("*.spool")) == []

    asyncio.run(story())
    assert firsts(kafka, topic) == [str(number).encode() for number in range(31)]


def test_newcomers_are_behind_what_is_drained_however_many_come(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    """The spool empties while somebody sends without a pause, and whoever sends waits for an answer before the next."""

    async def story() -> int:
        outbox = Outbox(KafkaOut(kafka), Spool(tmp_path, MOST))
        await outbox.keep(batch(topic, *range(2_000)))  # not connected yet
        await asyncio.to_thread(outbox.out.connect, (topic,))
        number = 2_000
        async with following(outbox), asyncio.timeout(PATIENCE_SECONDS):
            while outbox.spooled_bytes:
                number += await outbox.keep(batch(topic, number))
            for _ in range(20):
                number += await outbox.keep(batch(topic, number))
        return number

    count = asyncio.run(story())
    assert firsts(kafka, topic) == [str(number).encode() for number in range(count)]


def test_the_next_process_sends_what_the_last_one_left(kafka: RunningBroker, topic: str, tmp_path: Path) -> None:
    async def first() -> None:
        away = RunningBroker(bootstrap_servers=f"127.0.0.1:{free_port()}", pid=0)
        outbox = Outbox(KafkaOut(away), Spool(tmp_path, MOST))
        assert await outbox.keep(batch(topic, 0)) == 1
        assert await outbox.keep(batch(topic, 1, 2)) == 2
        outbox.close()

    async def second() -> None:
        outbox = Outbox(KafkaOut(kafka), Spool(tmp_path, MOST))
        assert outbox.spooled_bytes
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            assert await outbox.keep(batch(topic, 3)) == 1
            await until_empty(outbox)

    asyncio.run(first())
    asyncio.run(second())
    assert firsts(kafka, topic) == [b"0", b"1", b"2", b"3"]


class WrittenMeanwhile(Spool):
    """One more record is on the disk by the time that somebody hears there is none."""

    def __init__(self, folder: Path, late: list[Record]) -> None:
        super().__init__(folder, MOST)
        self._late = late
        self.has_written = threading.Event()

    def read(self) -> Unsent | None:
        unsent = super().read()
        if unsent is None and self._late:
            self.write(frames(self._late))
            self._late = []
            self.has_written.set()
        return unsent


def test_what_is_written_as_the_spool_is_found_empty_is_sent_too(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    async def story() -> None:
        spool = WrittenMeanwhile(tmp_path, batch(topic, 1))
        outbox = Outbox(KafkaOut(kafka), spool)
        assert await outbox.keep(batch(topic, 0)) == 1  # not connected yet
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            assert await outbox.keep(batch(topic, 2)) == 1
            assert await asyncio.to_thread(spool.has_written.wait, PATIENCE_SECONDS)
            await until_empty(outbox)

    asyncio.run(story())
    assert sorted(firsts(kafka, topic)) == [b"0", b"1", b"2"]


def test_what_there_is_no_room_for_is_refused_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        away = RunningBroker(bootstrap_servers=f"127.0.0.1:{free_port()}", pid=0)
        outbox = Outbox(KafkaOut(away), Spool(tmp_path, 200))
        assert await outbox.keep(batch("t", 1)) == 1
        with pytest.raises(Full, match="wait for Kafka, expected room for more"):
            await outbox.keep([Record("t", b"v", b"x" * 200)])
        assert await outbox.keep(batch("t", 2)) == 1
        outbox.close()
        unsent = Spool(tmp_path, 200).read()
        assert unsent is not None
        assert [record.value for record in unsent.records] == [b"1", b"2"]

    asyncio.run(story())


def test_without_a_spool_what_kafka_does_not_have_is_not_kept() -> None:
    async def story() -> int:
        return await Outbox(KafkaOut(RunningBroker(bootstrap_servers=f"127.0.0.1:{free_port()}", pid=0)), None).keep(
            batch("t", 1, 2)
        )

    assert asyncio.run(story()) == 0


def test_a_record_that_kafka_will_never_take_blocks_no_other(kafka: RunningBroker, topic: str, tmp_path: Path) -> None:
    large = Record(topic, b"visitor", b"x" * 2_000_000)

    async def story() -> None:
        outbox = Outbox(KafkaOut(kafka), Spool(tmp_path, MOST))
        await outbox.keep([*batch(topic, 0), large, *batch(topic, 1)])  # not connected yet: nobody knows
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            await until_empty(outbox)
            assert await outbox.keep([large, *batch(topic, 2)]) == 1
            assert outbox.spooled_bytes == 0

    asyncio.run(story())
    assert firsts(kafka, topic) == [b"0", b"1", b"2"]
    assert (tmp_path / "refused.frames").stat().st_size > 2_000_000


class DiskThatIsFull(Spool):
    """Refused records cannot be put aside for some time."""

    tries = 0

    def put_aside(self, refused: Iterable[Record]) -> None:
        self.tries += 1
        if self.tries < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().put_aside(refused)


def test_a_disk_that_is_full_makes_kafka_get_nothing_again(
    kafka: RunningBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.kafka.outbox._PAUSE_SECONDS", 0.05)
    large = Record(topic, b"visitor", b"x" * 2_000_000)
    spool = DiskThatIsFull(tmp_path, MOST)

    async def story() -> None:
        outbox = Outbox(KafkaOut(kafka), spool)
        await outbox.keep([*batch(topic, 0), large, *batch(topic, 1)])  # not connected yet: nobody knows
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            await until_empty(outbox)

    asyncio.run(story())
    assert spool.tries == 3
    assert values(kafka.bootstrap_servers, topic) == [b"0", b"1"]
    assert (tmp_path / "refused.frames").stat().st_size > 2_000_000


class TakesTheFirst(KafkaOut):
    """Kafka answers for the first records of what is sent and then, once, no more."""

    def __init__(self, cluster: RunningBroker, first: int) -> None:
        super().__init__(cluster)
        self._first: int | None = first

    def send_all(self, records: Sequence[Record]) -> Sending:
        if (first := self._first) is None:
            return super().send_all(records)
        self._first = None
        super().send_all(records[:first])
        sending = Sending(records)
        for index in range(first):
            sending.settle(index, None)
        return sending


def test_what_kafka_has_acknowledged_is_not_sent_again(
    kafka: RunningBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.kafka.outbox._DRAINED_SECONDS", 1.0)

    async def story() -> None:
        before = Spool(tmp_path, MOST)
        before.write(frames(batch(topic, *range(100))))
        before.close()
        outbox = Outbox(TakesTheFirst(kafka, 60), Spool(tmp_path, MOST))
        await asyncio.to_thread(outbox.out.connect, (topic,))
        async with following(outbox):
            await until_empty(outbox)

    asyncio.run(story())
    assert values(kafka.bootstrap_servers, topic) == [str(number).encode() for number in range(100)]


class Broken(Spool):
    """It cannot be written to, for a reason that nobody thought of."""

    def write(self, framed: bytes) -> None:
        raise ZeroDivisionError


def test_a_fault_nobody_thought_of_lets_nobody_wait(tmp_path: Path) -> None:
    async def story() -> None:
        away = RunningBroker(bootstrap_servers=f"127.0.0.1:{free_port()}", pid=0)
        outbox = Outbox(KafkaOut(away), Broken(tmp_path, MOST))
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    await outbox.keep(batch("t", 1))
        outbox.close()

    asyncio.run(story())

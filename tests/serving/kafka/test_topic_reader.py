"""What a process hears of topics whatever goes wrong. The client is a stand-in: no broker answers nonsense when asked to."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError

from lakehouse.kafka.broker import RunningBroker
from lakehouse.machine import wait_until
from serving.kafka import topic_reader
from serving.kafka.topic_reader import KafkaIn, Received

NOWHERE = RunningBroker(bootstrap_servers="nowhere:9092", pid=0)


class Client:
    """Knows one partition; brings one record, or fails."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault
        self.is_closed = False

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...

    def seek_to_end(self, *partitions: TopicPartition) -> None: ...

    def position(self, partition: TopicPartition) -> int:
        return 7

    def poll(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[Any]]:
        if self.fault is not None:
            raise self.fault
        return {TopicPartition("decisions", 0): [SimpleNamespace(partition=0, offset=7, value=b"said")]}

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """Those to come, in their order; the last stays."""
    to_come: list[Client] = []
    monkeypatch.setattr(
        topic_reader, "KafkaConsumer", lambda **settings: to_come.pop(0) if len(to_come) > 1 else to_come[0]
    )
    monkeypatch.setattr(topic_reader, "_RETRY_SECONDS", 0.01)
    return to_come


@pytest.mark.parametrize("fault", [KafkaConnectionError("away"), RuntimeError("changed size"), ValueError("no length")])
def test_whatever_ends_a_reading_it_begins_anew(clients: list[Client], fault: Exception) -> None:
    failing = Client(fault)
    clients += [failing, Client(None)]

    async def heard() -> Sequence[Received]:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[Sequence[Received]] = loop.create_future()

        def handle(records: Sequence[Received]) -> None:
            if not came.done():
                came.set_result(records)

        reading = KafkaIn(NOWHERE, {"decisions": handle}, loop, on_ready=lambda: None)
        reading.start()
        try:
            return await asyncio.wait_for(came, 10)
        finally:
            await asyncio.to_thread(reading.stop)

    assert asyncio.run(heard()) == [Received(0, 7, b"said")]
    assert failing.is_closed


def test_a_loop_that_is_closed_is_the_end(clients: list[Client], caplog: pytest.LogCaptureFixture) -> None:
    clients += [Client(None)]
    loop = asyncio.new_event_loop()
    loop.close()
    reading = KafkaIn(NOWHERE, {"decisions": lambda records: None}, loop, on_ready=lambda: None)
    reading.start()
    assert wait_until(lambda: clients[0].is_closed, 10)
    reading.stop()
    assert not caplog.records, "nothing went wrong, and nothing is tried again"

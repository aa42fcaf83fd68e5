"""A topic read by a group: on a real broker, and whatever goes wrong."""

import dataclasses
import math
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from lakehouse.config import load
from lakehouse.kafka import admin, clients
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.topics import Topics
from lakehouse.machine import wait_until
from serving.kafka import group_consumer
from serving.kafka.group_consumer import GroupConsumer

PATIENCE = 60
NOWHERE = RunningBroker(bootstrap_servers="nowhere:9092", pid=0)


def test_a_topic_that_is_not_there_yet_is_waited_for_and_read_from_its_beginning(kafka: RunningBroker) -> None:
    topic, stopped, waited = f"late-{uuid4().hex[:8]}", Event(), Event()
    seen: list[Any] = []

    def handle(records: Any) -> None:
        seen.extend(record.value for record in records)

    consuming = GroupConsumer(kafka, Topics((topic,)), f"group-{topic}", handle=handle, between=waited.set)
    thread = Thread(target=consuming.run, args=(stopped,), daemon=True)
    thread.start()
    assert waited.wait(PATIENCE), "what follows from the clock goes on meanwhile"
    admin.create_topic(kafka, topic, 1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, b"first").get(10)
    producer.close()
    assert wait_until(lambda: seen == [b"first"], PATIENCE)
    stopped.set()
    thread.join(30)
    assert not thread.is_alive()


def test_topics_of_a_pattern_are_read_also_those_that_come_later(kafka: RunningBroker) -> None:
    name, stopped = f"many-{uuid4().hex[:8]}", Event()
    cluster = dataclasses.replace(
        load("dev", environ={}).kafka,
        bootstrap_servers=kafka.bootstrap_servers,
        options={"metadata.max.age.ms": "300"},
    )
    seen: list[Any] = []

    def handle(records: Any) -> None:
        seen.extend(record.value for record in records)

    def say(topic: str) -> None:
        admin.create_topic(cluster, topic, 1)
        producer.send(topic, topic.encode()).get(10)

    producer = KafkaProducer(**clients.python_producer(cluster))
    for topic in (name, f"{name}-a", f"x{name}-a"):
        say(topic)
    topics = Topics((name,), f"{name}-[a-z]")
    consuming = GroupConsumer(cluster, topics, f"group-{name}", handle=handle, between=lambda: None)
    thread = Thread(target=consuming.run, args=(stopped,), daemon=True)
    thread.start()
    assert wait_until(lambda: len(seen) >= 2 and consuming.read_up_to.age() < math.inf, PATIENCE)
    say(f"{name}-b")
    assert wait_until(lambda: len(seen) >= 3, PATIENCE)
    stopped.set()
    thread.join(PATIENCE)
    producer.close()
    assert sorted(seen) == [name.encode(), f"{name}-a".encode(), f"{name}-b".encode()]


def test_whatever_ends_a_reading_it_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, waited = Event(), Event()
    faults = [RuntimeError("changed size"), ValueError("no length")]

    def client(**settings: Any) -> Any:
        """No broker answers nonsense when asked to."""
        if faults:
            raise faults.pop()
        stopped.set()
        raise ValueError("the end of this test")

    monkeypatch.setattr(group_consumer, "KafkaConsumer", client)
    monkeypatch.setattr(group_consumer, "_FIRST_PAUSE", 0.01)
    GroupConsumer(NOWHERE, Topics(("t",)), "g", handle=lambda records: None, between=waited.set).run(stopped)
    assert not faults
    assert waited.is_set(), "what follows from the clock goes on meanwhile"


class Broker:
    """As much of a consumer as is asked how far it is. `told`: of each partition its end, what is read, and what others have committed."""

    def __init__(self, told: dict[int, tuple[int, int | None, int | None]], own: set[int], begins: int = 0) -> None:
        self.told, self.own, self.begins = told, own, begins

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self.told)

    def end_offsets(self, partitions: Any, timeout_ms: int) -> dict[TopicPartition, int]:
        return {one: self.told[one.partition][0] for one in partitions}

    def beginning_offsets(self, partitions: Any, timeout_ms: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.begins)

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("t", one) for one in self.own}

    def position(self, partition: TopicPartition, timeout_ms: int) -> int | None:
        return self.told[partition.partition][1]

    def committed(self, partition: TopicPartition, timeout_ms: int) -> int | None:
        return self.told[partition.partition][2]


@pytest.mark.parametrize(
    ("told", "own", "is_read"),
    [
        ({0: (5, 5, None), 1: (3, None, 3)}, {0}, True),
        ({0: (5, 5, None), 1: (3, None, 2)}, {0}, False),  # another process of the group is behind
        ({0: (5, 4, 5), 1: (0, None, None)}, {0}, False),  # what is committed is not what this one has read
        ({0: (5, 5, None), 1: (0, None, None)}, {0}, True),  # nothing was ever there
        ({}, set(), False),
    ],
)
def test_a_topic_is_read_up_to_now_when_whoever_has_a_partition_has_read_it(
    told: dict[int, tuple[int, int | None, int | None]], own: set[int], is_read: bool
) -> None:
    consuming = GroupConsumer(NOWHERE, Topics(("t",)), "g", handle=lambda _: None, between=lambda: None)
    consuming._look(Broker(told, own))
    assert (consuming.read_up_to.age() < math.inf) is is_read


@pytest.mark.parametrize(("begins", "is_read"), [(7, True), (6, False)])
def test_a_partition_whose_records_are_all_gone_has_nothing_to_be_read(begins: int, is_read: bool) -> None:
    """Past its retention, before anybody of the group has read of it."""
    consuming = GroupConsumer(NOWHERE, Topics(("t",)), "g", handle=lambda _: None, between=lambda: None)
    consuming._look(Broker({0: (7, None, None)}, set(), begins))
    assert (consuming.read_up_to.age() < math.inf) is is_read


def test_a_broker_that_does_not_say_where_a_topic_ends_leaves_nobody_knowing() -> None:
    class Away(Broker):
        def end_offsets(self, partitions: Any, timeout_ms: int) -> dict[TopicPartition, int]:
            raise KafkaTimeoutError("away")

    consuming = GroupConsumer(NOWHERE, Topics(("t",)), "g", handle=lambda _: None, between=lambda: None)
    consuming._look(Away({0: (0, 0, 0)}, {0}))
    assert consuming.read_up_to.age() == math.inf

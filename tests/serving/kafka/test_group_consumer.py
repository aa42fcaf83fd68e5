"""A topic read by a group: on a real broker, and whatever goes wrong."""

from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from lakehouse.kafka import broker
from lakehouse.kafka.broker import RunningBroker
from lakehouse.machine import wait_until
from serving.kafka import group_consumer
from serving.kafka.group_consumer import GroupConsumer

PATIENCE = 60


def test_a_topic_that_is_not_there_yet_is_waited_for_and_read_from_its_beginning(kafka: RunningBroker) -> None:
    topic, stopped, waited = f"late-{uuid4().hex[:8]}", Event(), Event()
    seen: list[Any] = []

    def handle(records: Any) -> None:
        seen.extend(record.value for record in records)

    consuming = GroupConsumer(kafka.bootstrap_servers, topic, f"group-{topic}", handle=handle, between=waited.set)
    thread = Thread(target=consuming.run, args=(stopped,), daemon=True)
    thread.start()
    assert waited.wait(PATIENCE), "what follows from the clock goes on meanwhile"
    broker.create_topic(kafka.bootstrap_servers, topic, 1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, b"first").get(10)
    producer.close()
    assert wait_until(lambda: seen == [b"first"], PATIENCE)
    stopped.set()
    thread.join(30)
    assert not thread.is_alive()


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
    GroupConsumer("nowhere:9092", "t", "g", handle=lambda records: None, between=waited.set).run(stopped)
    assert not faults
    assert waited.is_set(), "what follows from the clock goes on meanwhile"

"""A topic read by a group, on a real broker."""

from threading import Event, Thread
from typing import Any
from uuid import uuid4

from kafka import KafkaProducer

from lakehouse.kafka import broker
from lakehouse.kafka.broker import RunningBroker
from lakehouse.machine import wait_until
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

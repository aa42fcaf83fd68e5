"""A topic that was deleted and created again under its name is another topic: nothing of it is skipped in silence."""

import dataclasses
import shutil

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from lakehouse.errors import BrokerError, LakeError
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.source import read_range
from lakehouse.kafka.topics import Topics
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.queries import bronze_events
from lakehouse.tables.events import BRONZE_EVENTS

TOPIC = "created-again"


def send(servers: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    for value in values:
        producer.send(TOPIC, value).get(10)
    producer.close()


def is_gone(kafka: RunningBroker) -> bool:
    try:
        admin.topic_ids(kafka, Topics((TOPIC,)))
    except BrokerError:
        return True
    return False


def test_another_topic_of_the_same_name_stops_the_query_with_the_remedy(lake: Lake, kafka: RunningBroker) -> None:
    servers = kafka.bootstrap_servers
    config = dataclasses.replace(lake.config.kafka, bootstrap_servers=servers, events_topic=TOPIC)
    lake = Lake(lake.spark, dataclasses.replace(lake.config, kafka=config))
    lake.create(BRONZE_EVENTS)
    admin.create_topic(kafka, TOPIC, 1)
    send(servers, b"1", b"2")
    for _ in range(2):  # a restart reads on
        bronze_events.start(lake, available_now=True).awaitTermination()
    assert lake.read(BRONZE_EVENTS).count() == 2
    client = KafkaAdminClient(bootstrap_servers=servers)
    client.delete_topics([TOPIC])
    client.close()
    assert wait_until(lambda: is_gone(kafka), 30)
    admin.create_topic(kafka, TOPIC, 1)
    send(servers, b"skipped", b"skipped", b"3")
    # Also when the checkpoints are gone: the lake would take its records for those it has.
    for reader in ("query bronze_events", "this lake"):
        with pytest.raises(
            LakeError, match=rf"^kafka\.events_topic: {reader} has read topic created-again .*start again"
        ):
            bronze_events.start(lake, available_now=True)
        shutil.rmtree(lake.checkpoint(bronze_events.NAME), ignore_errors=True)


def test_a_range_of_records_is_read_as_far_as_the_topic_has_it(lake: Lake, kafka: RunningBroker) -> None:
    topic = "in-ranges"
    servers = kafka.bootstrap_servers
    config = dataclasses.replace(lake.config.kafka, bootstrap_servers=servers, events_topic=topic)
    lake = Lake(lake.spark, dataclasses.replace(lake.config, kafka=config))
    admin.create_topic(kafka, topic, 2)
    producer = KafkaProducer(bootstrap_servers=servers)
    for number in range(5):
        producer.send(topic, str(number).encode(), partition=0).get(10)
    producer.close()
    client = KafkaAdminClient(bootstrap_servers=servers)
    client.delete_records({TopicPartition(topic, 0): 2})
    client.close()

    def read(begins: Ends, ends: Ends) -> list[str]:
        return sorted(bytes(row["value"]).decode() for row in read_range(lake, begins, ends).collect())

    assert read({topic: {"0": 3}}, {topic: {"0": 4}}) == ["3"]
    assert read({}, {topic: {"0": 4}, "another": {"0": 9}}) == ["2", "3"], "the first two are gone, and so is a topic"
    assert read({topic: {"0": 1}}, {topic: {"0": 2}}) == []
    assert read({}, {"another": {"0": 9}}) == []

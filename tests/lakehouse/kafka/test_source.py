"""A topic that was deleted and created again under its name is another topic: nothing of it is skipped in silence."""

import dataclasses
import shutil

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from lakehouse.errors import BrokerError, LakeError
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.topics import Topics
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

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from kafka import KafkaConsumer, TopicPartition

from lakehouse.config import LakeConfig, load
from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, broker
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import _paced, produce
from lakehouse.kafka.topics import Topics

AT = datetime(2026, 7, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real broker on a free port, for this module."""
    root = str(tmp_path_factory.mktemp("broker") / "lake")
    config = dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=root, keep_hours=1))
    try:
        yield broker.start(config, port=0)
    finally:
        broker.stop(config)


def records(kafka: RunningBroker, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
    """(partition, key, value) of every record of the topic's two partitions."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    partitions = [TopicPartition(topic, n) for n in (0, 1)]
    consumer.assign(partitions)
    ends, found = consumer.end_offsets(partitions), []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for batch in consumer.poll(timeout_ms=500).values():
            found += [(record.partition, record.key, record.value) for record in batch]
    consumer.close()
    return found


@pytest.mark.slow
def test_every_record_arrives_as_it_was_and_is_counted(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "whole", 2)
    sent = [Message(f"k{n % 7}".encode(), f"v{n}".encode(), AT) for n in range(1_234)]
    sent += [Message(b"k1", None, AT), Message(None, b"no key", AT), Message(b"k2", b"x" * 40_960, AT)]
    seen: list[int] = []
    assert produce(sent, kafka, "whole", on_progress=seen.append) == len(sent)
    assert seen == [500, 1_000, len(sent)]
    arrived = records(kafka, "whole")
    assert sorted(map(repr, ((key, value) for _, key, value in arrived))) == sorted(
        repr((m.key, m.value)) for m in sent
    )


@pytest.mark.slow
def test_records_of_one_key_keep_their_order_in_one_partition(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "ordered", 2)
    produce((Message(f"k{n % 5}".encode(), str(n).encode(), AT) for n in range(500)), kafka, "ordered", on_progress=id)
    arrived = records(kafka, "ordered")
    for key in (b"k0", b"k1", b"k2", b"k3", b"k4"):
        assert len({partition for partition, its_key, _ in arrived if its_key == key}) == 1
        numbers = [int(value or b"-1") for _, its_key, value in arrived if its_key == key]
        assert numbers == sorted(numbers)
        assert len(numbers) == 100


@pytest.mark.slow
def test_a_record_the_broker_refuses_is_an_error(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "refused", 2)
    too_large = Message(b"k", b"x" * 3_000_000, AT)
    with pytest.raises(BrokerError, match="records not taken"):
        produce([too_large], kafka, "refused", on_progress=id)


def test_a_pace_is_kept_from_the_start_and_lost_time_is_made_up() -> None:
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    messages = [Message(b"k", str(n).encode(), AT) for n in range(4)]
    for message in _paced(messages, 10.0, lambda: now[0], sleep):
        if message.value == b"1":
            now[0] += 0.15  # the broker stalls: record 2 is late, record 3 is on time again
    assert slept == [0.1, 0.05]


@pytest.mark.slow
def test_a_key_goes_where_kafkas_java_client_sends_it(kafka: RunningBroker) -> None:
    # murmur2 of "21" and "foobar" by Kafka's own UtilsTest: -973932308 and -790332482.
    admin.create_topic(kafka, "keyed", 2)
    produce([Message(b"21", b"", AT), Message(b"foobar", b"", AT)], kafka, "keyed", on_progress=id)
    placed = {key: partition for partition, key, _ in records(kafka, "keyed")}
    assert placed == {b"21": (-973932308 & 0x7FFFFFFF) % 2, b"foobar": (-790332482 & 0x7FFFFFFF) % 2}


@pytest.mark.slow
def test_what_is_told_to_be_acknowledged_is_there(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "told", 2)
    told: list[tuple[int, int]] = []

    def acknowledged(sent: int) -> None:
        told.append((sent, sum(admin.end_offsets(kafka, Topics(("told",)))["told"].values())))

    sent = [Message(f"k{n}".encode(), b"v", AT) for n in range(250)]
    produce(sent, kafka, "told", on_progress=id, on_acknowledged=acknowledged, acknowledged_every=100)
    assert told == [(100, 100), (200, 200)]


def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(BrokerError, match="no answer, expected a broker"):
        produce([], RunningBroker(bootstrap_servers="127.0.0.1:1", pid=0), "events", on_progress=id)

import asyncio
import contextlib
import time
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, KafkaProducer

from lakehouse import machine
from lakehouse.errors import BrokerError
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from serving.kafka.producer import KafkaOut, acknowledged
from tests.serving.served import until

PATIENCE = 30
KEYS = [f"visitor-{number}".encode() for number in range(60)]


@pytest.mark.slow
def test_a_visitor_is_in_the_partition_every_other_producer_puts_them_in(kafka: RunningBroker) -> None:
    topic = f"kafka-out-{uuid4().hex[:8]}"
    admin.create_topic(kafka, topic, 5)
    out = KafkaOut(kafka)
    out.connect((topic,))

    async def send() -> int:
        return await acknowledged([out.send(topic, key, b"ours") for key in KEYS], 30)

    assert asyncio.run(send()) == len(KEYS)
    out.close()
    other = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    theirs = {key: other.send(topic, key=key, value=b"theirs").get(30).partition for key in KEYS}
    other.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=3000
    )
    ours = {record.key: record.partition for record in consumer if record.value == b"ours"}
    consumer.close()
    assert ours == theirs
    assert len(set(ours.values())) == 5


def test_nobody_to_send_to_is_told_and_every_record_fails_until_there_is() -> None:
    out = KafkaOut(RunningBroker(bootstrap_servers=f"127.0.0.1:{machine.free_port()}", pid=0))
    with pytest.raises(BrokerError, match=r"kafka at 127\.0\.0\.1:\d+: got .*, expected a broker"):
        out.connect(("events",))

    async def send() -> int:
        return await acknowledged([out.send("events", b"k", b"v")], 5)

    assert not out.is_connected
    assert asyncio.run(send()) == 0
    out.close()


def clients() -> int:
    """Of librdkafka, in this process."""
    return sum(name.read_text() == "rdk:main\n" for name in Path("/proc/self/task").glob("*/comm"))


def test_nothing_of_a_client_is_left_once_it_is_closed_or_nobody_answered_it(kafka: RunningBroker) -> None:
    before, kept = clients(), []
    for servers in (kafka.bootstrap_servers, f"127.0.0.1:{machine.free_port()}"):
        out = KafkaOut(RunningBroker(bootstrap_servers=servers, pid=0))
        with contextlib.suppress(BrokerError):
            out.connect(("events",))
        kept.append(out)  # whoever holds on to it holds no client
        out.close()
    until(lambda: clients() == before)


def test_a_broker_that_takes_its_time_costs_no_time_of_ours() -> None:
    """librdkafka's own broker, which answers after 50 ms; 250 records a second are sent to it."""
    slow = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 50, "log_level": 0})
    (at,) = slow.list_topics("events", timeout=PATIENCE).brokers.values()
    out = KafkaOut(RunningBroker(bootstrap_servers=f"{at.host}:{at.port}", pid=0))
    out.connect(("events",))

    async def send() -> int:
        await acknowledged([out.send("events", b"k", b"first")], PATIENCE)
        sent = []
        for _ in range(200):
            sent.append(out.send("events", b"k", b"v"))
            await asyncio.sleep(0.004)
        return await acknowledged(sent, PATIENCE)

    before = time.process_time()
    assert asyncio.run(send()) == 200
    busy = time.process_time() - before
    out.close()
    assert busy < 0.2, f"{busy:.2f} s of CPU for 200 records: a thread of librdkafka's does not sleep"


def test_what_is_told_and_not_taken_is_counted(kafka: RunningBroker) -> None:
    topic = f"kafka-out-{uuid4().hex[:8]}"
    admin.create_topic(kafka, topic, 1)
    out = KafkaOut(kafka)
    out.tell(topic, b"k", b"before anybody was asked")
    assert out.lost == 1
    out.connect((topic,))
    out.tell(topic, b"k", b"x" * 2_000_000)
    assert out.lost == 2
    out.tell(topic, b"k", b"taken")
    out.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=3000
    )
    assert [record.value for record in consumer] == [b"taken"]
    consumer.close()
    assert out.lost == 2

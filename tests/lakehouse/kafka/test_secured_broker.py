"""A real broker that asks who is there: every client gets in by every way, and a wrong option is one line that names it."""

import asyncio
import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, KafkaProducer
from pyspark.sql import SparkSession

from lakehouse.config import PROJECT, KafkaConfig
from lakehouse.demo.drain import Progress
from lakehouse.errors import BrokerError, LakeError
from lakehouse.kafka import admin, clients
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.kafka.refusal import Refused
from lakehouse.kafka.server import HOST
from lakehouse.kafka.source import read_records
from lakehouse.kafka.topics import Topics
from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.online.change_publisher import Change, KafkaChanges
from serving.kafka.producer import KafkaOut, acknowledged
from tests import secured_kafka
from tests.secured_kafka import PASSWORD, SecuredBroker

AT = datetime(2026, 7, 4, tzinfo=UTC)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_kafka.running(tmp_path_factory.mktemp("secured") / "kafka") as broker:
        yield broker


def by(secured: SecuredBroker, way: str) -> KafkaConfig:
    return secured.mutual_cluster() if way == "certificate" else secured.cluster(way)


def heard(cluster: KafkaConfig, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, **clients.python_consumer(cluster), auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    values = [next(consumer).value for _ in range(count)]
    consumer.close()
    return sorted(values)


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER", "certificate"])
def test_every_client_gets_in(spark: SparkSession, secured: SecuredBroker, way: str) -> None:
    cluster, topic = by(secured, way), f"by-{way.lower()}"
    admin.create_topic(cluster, topic, 2)
    assert admin.partitions(cluster, Topics((topic,))) == 2
    assert produce([Message(b"k", b"by kafka-python", AT)], cluster, topic, on_progress=lambda _: None) == 1
    out = KafkaOut(cluster)
    out.connect((topic,))

    async def send() -> int:
        return await acknowledged([out.send(topic, b"k", b"by librdkafka")], 10)

    assert asyncio.run(send()) == 1
    out.close()
    options = clients.spark(cluster)
    spark.sql("select 'k' key, 'by Spark' value").write.format("kafka").options(**options, topic=topic).save()
    sent = [b"by Spark", b"by kafka-python", b"by librdkafka"]
    assert heard(cluster, topic, 3) == sent
    read = spark.read.format("kafka").options(**options, subscribe=topic).load()
    assert sorted(bytes(row.value) for row in read.collect()) == sent


def test_the_parts_that_make_clients_themselves_get_in(secured: SecuredBroker) -> None:
    cluster = secured.cluster()
    changes = KafkaChanges(cluster, "changes", 1)
    changes([Change("p", 1, AT)])
    changes.close()
    assert len(heard(cluster, "changes", 1)) == 1
    progress = Progress(cluster, "changes")
    assert progress.position([]).produced == 1
    progress.close()


def test_several_topics_and_those_of_a_pattern_are_read_also_new_ones(lake: Lake, secured: SecuredBroker) -> None:
    kafka = dataclasses.replace(
        secured.cluster(), events_topic="web", events_also_from=("till.1",), events_pattern="app-[a-z]+"
    )
    lake = Lake(lake.spark, dataclasses.replace(lake.config, kafka=kafka))
    producer = KafkaProducer(**clients.python_producer(kafka))

    def say(topic: str, value: bytes) -> None:
        admin.create_topic(kafka, topic, 1)
        producer.send(topic, value).get(10)

    for topic, value in (
        ("web", b"1"),
        ("till.1", b"2"),
        ("till-1", b"no point"),
        ("app-one", b"3"),
        ("my-app", b"no"),
    ):
        say(topic, value)
    records = read_records(lake, 100, query="several").select("topic", "value")
    reading = records.writeStream.format("memory").queryName("several").start()
    reading.processAllAvailable()
    say("app-two", b"4")
    say("web", b"5")
    reading.processAllAvailable()
    reading.stop()
    read = {(row.topic, bytes(row.value)) for row in lake.spark.table("several").collect()}
    assert read == {("web", b"1"), ("web", b"5"), ("till.1", b"2"), ("app-one", b"3"), ("app-two", b"4")}
    assert sorted(path.name for path in Path(lake.root, "_topics").iterdir()) == ["app-one", "till.1", "web"]
    client = AdminClient({**clients.librdkafka(kafka), "log_level": 0})
    client.delete_topics(["till.1"])["till.1"].result(10)
    assert wait_until(lambda: admin._described(kafka, "till.1") is None, 10)
    admin.create_topic(kafka, "till.1", 1)
    with pytest.raises(LakeError, match=r"query several has read topic till\.1 .*, got till\.1 "):
        read_records(lake, 100, query="several")
    producer.close()


def wrong_ways(secured: SecuredBroker) -> dict[str, tuple[KafkaConfig, str]]:
    """How one may be wrong about the broker -> so configured, and the option that is to be named."""
    sound, mutual = secured.cluster(), secured.mutual_cluster()
    tls_alone = {name: value for name, value in sound.options.items() if not name.startswith("sasl")}
    nameless = {
        name: value for name, value in mutual.options.items() if "certificate" not in name and "key" not in name
    }
    return {
        "password": (secured.cluster(sasl_password="wr0ng"), "sasl.password"),
        "password of PLAIN": (secured.cluster("PLAIN", sasl_password="wr0ng"), "sasl.password"),
        "user": (secured.cluster(sasl_username="nobody"), "sasl.password"),
        "secret": (
            secured.cluster("OAUTHBEARER", sasl_oauthbearer_client_secret="wr0ng"),
            "sasl.oauthbearer.client.secret",
        ),
        "authority": (secured.cluster(ssl_ca_location=str(secured.folder / "other_ca.pem")), "ssl.ca.location"),
        "host": (
            dataclasses.replace(sound, bootstrap_servers=sound.bootstrap_servers.replace(HOST, "localhost")),
            "ssl.ca.location",
        ),
        "no certificate": (dataclasses.replace(mutual, options=nameless), "ssl.certificate.location"),
        "no TLS": (secured.cluster(security_protocol="SASL_PLAINTEXT", ssl_ca_location=""), "security.protocol"),
        "nothing at all": (dataclasses.replace(sound, options={}), "security.protocol"),
        "no user": (
            dataclasses.replace(sound, options=tls_alone | {"security.protocol": "SSL"}),
            "security.protocol",
        ),
        "plain listener": (dataclasses.replace(sound, bootstrap_servers=secured.plain), "security.protocol"),
    }


def refusal(cluster: KafkaConfig) -> tuple[str, str, float]:
    """The option that is named, what is said, and after how many seconds."""
    began = time.monotonic()
    try:
        admin.hold_to_answer(cluster)
    except Refused as error:
        return error.option, str(error), time.monotonic() - began
    except BrokerError as error:
        return "", str(error), time.monotonic() - began
    raise AssertionError("it was let in")


def test_a_wrong_option_is_named_within_seconds(secured: SecuredBroker) -> None:
    ways = wrong_ways(secured)
    with ThreadPoolExecutor(len(ways)) as beside:
        told = dict(zip(ways, beside.map(refusal, (cluster for cluster, _ in ways.values())), strict=True))
    assert {way: option for way, (option, _, _) in told.items()} == {way: option for way, (_, option) in ways.items()}
    for option, text, seconds in told.values():
        variable = "STITCHLAKE__KAFKA__OPTIONS__" + option.replace(".", "_").upper()
        line = rf"kafka\.options\.{re.escape(option)}: refused by \S+:\d+.*, got '.+', expected .+\. Set {variable}"
        assert re.fullmatch(line, text), text
        assert PASSWORD not in text
        assert "wr0ng" not in text
        assert seconds < 4.5, "it is told before the patience for an answer ends"


def test_a_wrong_password_ends_a_process_with_one_line(secured: SecuredBroker, tmp_path: Path) -> None:
    cluster = secured.cluster(sasl_password="wr0ng")
    options = {
        f"STITCHLAKE__KAFKA__OPTIONS__{name.replace('.', '_').upper()}": value
        for name, value in cluster.options.items()
    }
    environ = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "STITCHLAKE__LAKE__ROOT": str(tmp_path / "lake"),
        "STITCHLAKE__SERVING__PORT": "0",
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        **options,
    }

    def ended(module: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", module]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    with ThreadPoolExecutor(2) as beside:
        for done in beside.map(ended, ("streaming", "serving")):
            assert (done.returncode, done.stdout) == (2, "")
            assert re.fullmatch(r"error: kafka\.options\.sasl\.password: refused by .*\n", done.stderr)
            assert "wr0ng" not in done.stderr

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from lakehouse import jars, machine
from lakehouse.config import Config, LakeConfig
from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, broker, server
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.topics import Topics


def note(config: Config, pid: int) -> Path:
    """Write a pid file as if the broker of this lake were process `pid`."""
    path = Path(config.lake.root) / "_kafka" / "broker.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"bootstrap_servers": "127.0.0.1:1", "pid": pid}))
    return path


def send(servers: str, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    for value in values:
        producer.send(topic, value).get(timeout=30)
    producer.close()


def receive(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=20000)
    values = [next(consumer).value for _ in range(count)]
    consumer.close()
    return sorted(values)


@pytest.mark.slow
def test_records_survive_a_stop_and_a_start_on_another_port(config: Config) -> None:
    first = broker.start(config, port=0)
    try:
        assert broker.start(config, port=0) == first
        assert broker.status(config) == first
        assert broker.cluster(config).bootstrap_servers == first.bootstrap_servers
        admin.create_topic(first, "events", 2)
        send(first.bootstrap_servers, "events", b"1", b"2", b"3")
        assert broker.stop(config)
        assert machine.command_of(first.pid) is None
        assert (broker.status(config), broker.stop(config)) == (None, False)
        second = broker.start(config, port=0)
        assert second.bootstrap_servers != first.bootstrap_servers
        assert receive(second.bootstrap_servers, "events", 3) == [b"1", b"2", b"3"]
        os.kill(second.pid, signal.SIGKILL)
        machine.wait_until(lambda: broker.status(config) is None, 20)
        assert broker.status(config) is None
        third = broker.start(config, port=0)
        assert receive(third.bootstrap_servers, "events", 3) == [b"1", b"2", b"3"]
    finally:
        broker.stop(config)


@pytest.mark.slow
def test_a_topic_is_created_once_and_left_as_it_is(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "created-once", 2)
    admin.create_topic(kafka, "created-once", 5)
    assert admin.partitions(kafka, Topics(("created-once",))) == 2


@pytest.mark.slow
def test_a_record_of_forty_kilobytes_passes_and_one_beyond_a_megabyte_does_not(kafka: RunningBroker) -> None:
    admin.create_topic(kafka, "large", 1)
    send(kafka.bootstrap_servers, "large", b"x" * 40_000)
    assert receive(kafka.bootstrap_servers, "large", 1) == [b"x" * 40_000]
    with pytest.raises(MessageSizeTooLargeError):
        KafkaProducer(bootstrap_servers=kafka.bootstrap_servers).send("large", b"x" * 1_100_000).get(timeout=30)


@pytest.mark.slow
def test_it_listens_on_this_machine_only(kafka: RunningBroker) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("only Linux lists listeners in /proc")
    port = f":{int(kafka.bootstrap_servers.rpartition(':')[2]):04X}"
    tables = [listening, Path("/proc/net/tcp6")]
    rows = [line.split() for path in tables if path.exists() for line in path.read_text().splitlines()[1:]]
    addresses = {row[1].removesuffix(port) for row in rows if row[3] == "0A" and row[1].endswith(port)}
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert addresses


@pytest.mark.slow
def test_storage_that_cannot_be_formatted_says_why(config: Config) -> None:
    broken = dataclasses.replace(config, kafka=dataclasses.replace(config.kafka, partitions=-3))
    with pytest.raises(BrokerError, match=r"not formatted, got .*num\.partitions"):
        broker.start(broken, port=0)
    assert broker.status(config) is None


@pytest.mark.slow
def test_a_broker_that_ends_while_starting_says_why(config: Config) -> None:
    data = Path(config.lake.root) / "_kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=abc\nnode.id=99\n")
    with pytest.raises(BrokerError, match=r"ended while starting, got .*node id 99"):
        broker.start(config, port=0)
    assert broker.status(config) is None


def test_a_taken_port_is_refused_with_the_variable_that_chooses_another(config: Config) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} .* taken.*STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS") as caught:
            broker.start(config, port=port)
    assert "\n" not in str(caught.value)


def test_another_process_is_never_stopped(config: Config) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        noted = note(config, foreign.pid)
        assert broker.status(config) is None
        with pytest.raises(BrokerError, match=f"pid {foreign.pid} is another process"):
            broker.stop(config)
        assert foreign.poll() is None
        assert not noted.exists()
        foreign.communicate(b"\n")


def test_a_broker_of_a_lake_whose_name_begins_alike_is_another_process(config: Config) -> None:
    mark = server.mark_of(Path(config.lake.root) / "_kafka").strip()
    with subprocess.Popen([sys.executable, "-c", "input()", f"{mark}2", "end"], stdin=subprocess.PIPE) as foreign:
        note(config, foreign.pid)
        assert broker.status(config) is None
        foreign.communicate(b"\n")


def test_a_noted_broker_that_died_is_not_running(config: Config) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    note(config, gone.pid)
    assert broker.status(config) is None
    assert broker.stop(config) is False


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_spoilt_pid_file_means_not_running(config: Config, text: str) -> None:
    note(config, 1).write_text(text)
    assert broker.status(config) is None
    assert broker.stop(config) is False


def test_without_a_local_broker_the_configured_one_is_used(config: Config) -> None:
    assert broker.cluster(config).bootstrap_servers == "127.0.0.1:9092"
    remote = dataclasses.replace(config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1))
    assert broker.cluster(remote).bootstrap_servers == "127.0.0.1:9092"


def test_a_remote_lake_or_a_remote_address_has_no_local_broker(config: Config) -> None:
    with pytest.raises(BrokerError, match=r"lake\.root: got 's3://bucket/lake', expected a local folder"):
        broker.start(dataclasses.replace(config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1)))
    elsewhere = dataclasses.replace(config.kafka, bootstrap_servers="broker-1:9092")
    with pytest.raises(BrokerError, match=r"got 'broker-1:9092', expected 127\.0\.0\.1:<port>"):
        broker.start(dataclasses.replace(config, kafka=elsewhere))


def test_nobody_answers_where_nobody_listens() -> None:
    nobody = RunningBroker(bootstrap_servers=f"127.0.0.1:{machine.free_port()}", pid=0)
    assert not admin.answers(nobody)
    admin.hold_to_options(nobody)
    with pytest.raises(BrokerError, match=f"kafka at {nobody.bootstrap_servers}: no answer, expected a broker"):
        admin.create_topic(nobody, "events", 1)


def test_an_artifact_is_a_jar_name_without_its_version() -> None:
    names = ["zstd-jni-1.5.7-7.jar", "spark-sql-kafka-0-10_2.13-4.2.0.jar", "log4j-1.2-api-2.25.4.jar"]
    assert [jars.artifact(name) for name in names] == ["zstd-jni", "spark-sql-kafka-0-10_2.13", "log4j-1.2-api"]


def test_jars_that_spark_has_in_another_version_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "jackson-core-2.21.2.jar").touch()
    own = tmp_path / "jars" / "spark-core_2.13-4.2.0.jar"
    ivy = [
        Path("/ivy/com.fasterxml.jackson.core_jackson-core-2.13.5.jar"),
        Path("/ivy/io.delta_delta-storage-4.4.0.jar"),
    ]
    assert jars.without_those_of_spark([*ivy, own], tmp_path) == ivy[1:]


def test_remembered_jars_are_trusted_only_while_every_file_is_there(tmp_path: Path) -> None:
    jar, stamp = tmp_path / "a.jar", tmp_path / "jars.txt"
    stamp.write_text(f"{jar}\n")
    assert jars._remembered(stamp) == []
    jar.touch()
    assert jars._remembered(stamp) == [jar]

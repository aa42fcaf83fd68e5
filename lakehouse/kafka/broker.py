"""The local broker: a real KRaft Kafka of one node, from Maven's jars, for demos, tests and one-machine lakes.

Its data lives under `<lake.root>/_kafka`, its jars in the user's cache, off Spark's class path. It listens on 127.0.0.1
only, outlives the process that started it and is stopped by pid, never without looking whose pid that is.
"""

import dataclasses
import json
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.errors import BrokerError
from lakehouse.kafka import server
from lakehouse.kafka.server import HOST, last_error, mark_of

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class RunningBroker:
    """A broker that answers: where, and which process it is."""

    bootstrap_servers: str
    pid: int


def start(config: Config, *, port: int | None = None) -> RunningBroker:
    """Start the broker of this lake, or find it running, and wait until it answers.

    `port`: None takes the port of kafka.bootstrap_servers, 0 any free one. A broker of this lake that runs already is
    returned as it is, whatever its port.

    Raises:
        BrokerError: the lake is remote, the port is taken, Java or the jars are missing, or no answer in time.
    """
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    with machine.file_lock(folder / "start.lock"):  # two starts at once: the second finds the first's broker
        running = status(config) or _launch(config, folder, port)
        _wait_until_it_answers(running, folder)
    return running


def _launch(config: Config, folder: Path, port: int | None) -> RunningBroker:
    port = _free(_configured_port(config) if port is None else port)
    command = server.prepare(config, folder, port)
    with (folder / "broker.log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C in the terminal is not for the broker
        )
    running = RunningBroker(bootstrap_servers=f"{HOST}:{port}", pid=process.pid)
    _pid_file(config).write_text(json.dumps(dataclasses.asdict(running)), encoding="utf-8")
    return running


def stop(config: Config) -> bool:
    """Stop the broker of this lake; True when one was running. A process that is not this broker is left alone.

    Raises:
        BrokerError: the noted pid lives but is another program's.
    """
    noted = _noted(config)
    if noted is None:
        return False
    mark = mark_of(_folder(config))
    command = machine.command_of(noted.pid)
    if command is not None and mark not in command:
        _pid_file(config).unlink(missing_ok=True)
        raise BrokerError(
            f"{_pid_file(config)}: pid {noted.pid} is another process, got '{command[:80]}', expected this lake's broker. "
            "It was left alone and the stale file removed"
        )
    was_running = machine.stop_process(noted.pid, mark, patience_seconds=STOP_SECONDS)
    _pid_file(config).unlink(missing_ok=True)
    return was_running


def status(config: Config) -> RunningBroker | None:
    """The broker of this lake when its process lives, else None."""
    noted = _noted(config)
    if noted is None or mark_of(_folder(config)) not in (machine.command_of(noted.pid) or ""):
        return None
    return noted


def bootstrap_servers(config: Config) -> str:
    """Where to connect: the running broker of this lake, else kafka.bootstrap_servers."""
    is_local = machine.local_folder(config.lake.root) is not None
    running = status(config) if is_local else None
    return running.bootstrap_servers if running else config.kafka.bootstrap_servers


def reachable(config: Config) -> Config:
    """The configuration with the address of the lake's own broker where that runs, or else the configured one.

    Raises:
        BrokerError: it does not answer.
    """
    servers = bootstrap_servers(config)
    if not answers(servers):
        raise BrokerError(
            f"kafka at {servers}: no answer, expected a broker. Start one with ./spark-submit.sh kafka start, or set "
            "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS"
        )
    return dataclasses.replace(config, kafka=dataclasses.replace(config.kafka, bootstrap_servers=servers))


def create_topic(bootstrap_servers: str, topic: str, partitions: int) -> None:
    """Create the topic; one that is there already is left as it is.

    Raises:
        BrokerError: no broker answers there, or it refuses.
    """
    from kafka.admin import KafkaAdminClient, NewTopic  # here: 0.2 s that `plan` and `status` need not pay
    from kafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

    try:
        if not _connects(bootstrap_servers):
            raise KafkaConnectionError("nobody listens there")
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=5000)
        try:
            admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
        except TopicAlreadyExistsError:
            return
        finally:
            admin.close()
    except KafkaError as error:
        raise BrokerError(
            f"kafka: topic '{topic}' not created at {bootstrap_servers}, got {type(error).__name__}: {error}, "
            "expected a broker that answers. Start one with ./spark-submit.sh kafka start"
        ) from error


def partitions(bootstrap_servers: str, topic: str) -> int:
    """How many partitions the topic has.

    Raises:
        BrokerError: no broker answers there, or it has no such topic.
    """
    return len(_described(bootstrap_servers, topic)["partitions"])


def topic_id(bootstrap_servers: str, topic: str) -> str | None:
    """The id the broker gave the topic when it was created; None of a broker that gives none (before Kafka 2.8).

    Raises:
        BrokerError: as `partitions`.
    """
    id_ = UUID(str(_described(bootstrap_servers, topic)["topic_id"]))
    return str(id_) if id_.int else None


def first_offsets(bootstrap_servers: str, topic: str) -> dict[str, int]:
    """Partition -> offset of the first record that the topic still holds; of an empty one the offset of its next.

    Raises:
        BrokerError: as `partitions`.
    """
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    places = [TopicPartition(topic, number) for number in range(partitions(bootstrap_servers, topic))]
    try:
        consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers)
        try:
            return {str(place.partition): offset for place, offset in consumer.beginning_offsets(places).items()}
        finally:
            consumer.close()
    except KafkaError as error:
        raise BrokerError(
            f"kafka at {bootstrap_servers}: no first offsets of topic '{topic}', got {type(error).__name__}: {error}, expected a "
            "broker that answers. Try again"
        ) from error


def _described(bootstrap_servers: str, topic: str) -> Mapping[str, Any]:
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=5000)
        try:
            (described,) = admin.describe_topics([topic])
        finally:
            admin.close()
    except KafkaError as error:
        raise BrokerError(
            f"kafka at {bootstrap_servers}: topic '{topic}' not described, got {type(error).__name__}: {error}, expected a "
            "broker that answers. Start one with ./spark-submit.sh kafka start"
        ) from error
    if not described["partitions"]:
        raise BrokerError(
            f"kafka at {bootstrap_servers}: no topic '{topic}', expected it to be there. Create it, or mend kafka.events_topic"
        )
    return dict(described)


def answers(bootstrap_servers: str) -> bool:
    """Whether a Kafka broker there tells its cluster's metadata."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    if not _connects(bootstrap_servers):
        return False
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=5000)
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _connects(bootstrap_servers: str) -> bool:
    """Whether any of the addresses takes a connection: the client itself would try for seconds and log every try."""
    for address in bootstrap_servers.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
            return True
        except OSError:
            continue
    return False


def _wait_until_it_answers(running: RunningBroker, folder: Path) -> None:
    log = folder / "broker.log"

    def has_ended() -> bool:
        return mark_of(folder) not in (machine.command_of(running.pid) or "")

    is_settled = machine.wait_until(lambda: has_ended() or answers(running.bootstrap_servers), START_SECONDS)
    if has_ended():
        raise BrokerError(f"kafka: the broker ended while starting, got {last_error(log)}. Mend that, try again")
    if not is_settled:
        machine.stop_process(running.pid, mark_of(folder), patience_seconds=STOP_SECONDS)
        raise BrokerError(
            f"kafka: no answer at {running.bootstrap_servers} in {START_SECONDS:.0f} s, got {last_error(log)}. Look into {log}"
        )


def _free(port: int) -> int:
    if port == 0:
        return machine.free_port()
    if not machine.is_port_free(port):
        raise BrokerError(
            f"kafka.bootstrap_servers: port {port} of {HOST} is taken, got another listener, expected a free port. "
            f"Stop it, or set STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS={HOST}:<another port>"
        )
    return port


def _configured_port(config: Config) -> int:
    host, _, port = config.kafka.bootstrap_servers.partition(":")
    if host not in (HOST, "localhost") or not port.isdigit():
        raise BrokerError(
            f"kafka.bootstrap_servers: got '{config.kafka.bootstrap_servers}', expected {HOST}:<port> for a local broker. "
            "Use the broker that is there, or set STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS"
        )
    return int(port)


def _folder(config: Config) -> Path:
    lake = machine.local_folder(config.lake.root)
    if lake is None:
        raise BrokerError(
            f"lake.root: got '{config.lake.root}', expected a local folder for a local broker. "
            "Set kafka.bootstrap_servers to your brokers instead"
        )
    return lake / "_kafka"


def _pid_file(config: Config) -> Path:
    return _folder(config) / "broker.json"


def _noted(config: Config) -> RunningBroker | None:
    try:
        return RunningBroker(**json.loads(_pid_file(config).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

"""The local broker: a real KRaft Kafka of one node, from Maven's jars, for demos, tests and one-machine lakes.

Its data lives under `<lake.root>/_kafka`, its jars in the user's cache, off Spark's class path. It listens on 127.0.0.1
only, outlives the process that started it and is stopped by pid, never without looking whose pid that is.
"""

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse import machine
from lakehouse.config import Config, KafkaConfig
from lakehouse.config.kafka_options import is_secured
from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, server
from lakehouse.kafka.server import HOST, last_error, mark_of

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class RunningBroker:
    """A broker that answers: where, and which process it is."""

    bootstrap_servers: str
    pid: int

    @property
    def options(self) -> Mapping[str, str]:
        """It asks nobody who he is: it listens on this machine only."""
        return {}


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


def cluster(config: Config) -> KafkaConfig:
    """Where to connect: the running broker of this lake, else what is configured.

    The local broker knows no passwords: who sets kafka.options for another way of speaking means another broker.
    """
    if machine.local_folder(config.lake.root) is None or is_secured(config.kafka.options):
        return config.kafka
    running = status(config)
    return config.kafka if running is None else at(config, running).kafka


def at(config: Config, running: RunningBroker) -> Config:
    """The configuration at a local broker."""
    kafka = dataclasses.replace(config.kafka, bootstrap_servers=running.bootstrap_servers, options=running.options)
    return dataclasses.replace(config, kafka=kafka)


def reachable(config: Config) -> Config:
    """The configuration with the address of the lake's own broker where that runs, or else the configured one.

    Raises:
        BrokerError: it does not answer, or refuses us.
    """
    kafka = cluster(config)
    admin.hold_to_answer(kafka)
    return dataclasses.replace(config, kafka=kafka)


def _wait_until_it_answers(running: RunningBroker, folder: Path) -> None:
    log = folder / "broker.log"

    def has_ended() -> bool:
        return mark_of(folder) not in (machine.command_of(running.pid) or "")

    is_settled = machine.wait_until(lambda: has_ended() or admin.answers(running), START_SECONDS)
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

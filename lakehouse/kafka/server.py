"""What the local broker is started with: its jars, its server.properties, its formatted storage."""

import base64
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from lakehouse import jars, machine
from lakehouse.config import Config
from lakehouse.errors import BrokerError

KAFKA_VERSION = "4.2.0"
PACKAGES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION},org.slf4j:slf4j-simple:1.7.36"
HOST = "127.0.0.1"

# A short-lived neighbour of Spark on few cores: a small heap, one collector thread, the quick compiler only.
_JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def prepare(config: Config, folder: Path, port: int) -> list[str]:
    """Write what the broker reads, format its storage when it is new; returns the command that runs it.

    Raises:
        BrokerError: Java or the jars are missing, or the storage cannot be formatted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(config, folder, port), encoding="utf-8")
    java = _java_command(folder)
    if not (folder / "data" / "meta.properties").is_file():
        _format(java, folder, properties)
    return [*java, "kafka.Kafka", str(properties)]


def mark_of(folder: Path) -> str:
    """What the command line of the broker of `folder` holds and no other process's does."""
    return f"-Dstitchlake.broker={folder} "


def last_error(log: Path) -> str:
    """What the broker's log says of why it ended, quoted, at most 300 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    errors = [line.strip() for line in lines if re.search(r"ERROR|FATAL|Exception|[Ee]rror:", line)]
    return repr((errors or lines or ["no output"])[-1][:300])


def _format(java: list[str], folder: Path, properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # The tool would take an id that begins with a dash for an option.
    action = ["kafka.tools.StorageTool", "format", "--cluster-id", f"s{cluster[1:]}", "--config", str(properties)]
    done = subprocess.run([*java, *action], capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        (folder / "broker.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        raise BrokerError(
            f"kafka: storage not formatted, got {last_error(folder / 'broker.log')}. Remove {folder}, try again"
        )


def _java_command(folder: Path) -> list[str]:
    cache = machine.cache_folder()
    files = jars.resolve(PACKAGES, cache, ivy=cache / f"kafka-{KAFKA_VERSION}")
    scala = sorted((jars.spark_home() / "jars").glob("scala-library-*.jar"))  # Spark's Ivy leaves out what Spark has
    if not shutil.which(machine.java()):
        raise BrokerError(
            f"kafka: no Java, got '{machine.java()}', expected Java 17 or newer. Install it or set JAVA_HOME"
        )
    return [
        machine.java(),
        *_JVM,
        mark_of(folder).strip(),
        "-cp",
        ":".join(map(str, [*files, *scala])),
    ]


def _properties(config: Config, folder: Path, port: int) -> str:
    controller = machine.free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"BROKER://{HOST}:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "data",
        "num.partitions": config.kafka.partitions,
        "log.retention.hours": config.kafka.retention_hours,
        "log.retention.check.interval.ms": 60_000,  # records go a minute after their time, not five: some are of people who were erased
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "log.cleaner.dedupe.buffer.size": 4194304,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse import machine
from lakehouse.commands import supervisor
from lakehouse.config import PROJECT, Config, LakeConfig
from lakehouse.errors import LakeError
from lakehouse.kafka import broker
from lakehouse.kafka.broker import RunningBroker

# `up` with a streaming driver of one line: {0}.
UP = """
import dataclasses, os, sys
from lakehouse.commands import supervisor
from lakehouse.job import run
from lakehouse.config import LakeConfig, load
config = dataclasses.replace(load("dev"), lake=LakeConfig(root=sys.argv[1], keep_hours=1))
child = supervisor.Child(name="streaming", command=[sys.executable, "-c", sys.argv[2]], environ=dict(os.environ))
run(lambda _: supervisor.up(config, [child]))
"""
STREAMS = "import os, signal; print('ready', flush=True); signal.pause()"


@contextmanager
def up(config: Config, servers: str, streaming: str = STREAMS) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", UP, config.lake.root, streaming, "lakehouse.commands", "up"]
    environ = os.environ | {"PYTHONPATH": str(PROJECT), "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": servers}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            supervisor.down(config)
            process.kill()


def noted(config: Config) -> int:
    """The process of the one child."""
    found: dict[str, list[list[int]]] = json.loads((Path(config.lake.root) / "_run" / "up.json").read_text())
    return found["children"][0][0]


@pytest.mark.slow
def test_up_starts_the_broker_says_ready_and_down_stops_all(config: Config) -> None:
    servers = f"127.0.0.1:{machine.free_port()}"
    with up(config, servers) as process:
        assert process.stdout.readline() == "ready\n"
        streaming = noted(config)
        assert broker.answers(servers)
        assert supervisor.down(config)
        assert process.wait() == 0
        assert machine.command_of(streaming) is None
        assert not broker.answers(servers)
        assert not supervisor.down(config)


@pytest.mark.slow
def test_a_broker_that_was_there_before_stays(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert broker.answers(kafka.bootstrap_servers)


@pytest.mark.slow
def test_down_stops_the_queries_of_an_up_that_was_killed(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers) as process:
        assert process.stdout.readline() == "ready\n"
        streaming = noted(config)
        process.kill()
        process.wait()
        assert machine.command_of(streaming) is not None
        assert supervisor.down(config)
        assert machine.command_of(streaming) is None


@pytest.mark.slow
def test_a_second_up_of_one_lake_is_refused(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers) as first:
        assert first.stdout.readline() == "ready\n"
        with pytest.raises(LakeError, match=f"is up already, got pid {first.pid}"):
            supervisor.up(config, [])


@pytest.mark.slow
def test_queries_that_end_by_themselves_end_up_too(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers, "print('failed'); exit(7)") as process:
        out, errors = process.communicate()
        assert out == "failed\n"
        assert errors.startswith("error: streaming: ended by itself, got exit code 7")
        assert process.returncode == 2


def test_down_without_up_does_nothing(config: Config) -> None:
    assert supervisor.down(config) is False


def test_a_remote_lake_is_not_run_from_here(config: Config) -> None:
    with pytest.raises(LakeError, match=r"lake\.root: got 's3://bucket/lake', expected a local folder for up and down"):
        supervisor.down(dataclasses.replace(config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1)))

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
from lakehouse.job import FOR_A_PERSON
from lakehouse.kafka import admin, broker
from lakehouse.kafka.broker import RunningBroker
from lakehouse.spark.restarts import FIRST_TRIES

# `up` with a streaming driver of one line: {0}.
UP = """
import dataclasses, os, sys
from lakehouse.commands import supervisor
from lakehouse.commands.parts import Child
from lakehouse.job import run
from lakehouse.config import LakeConfig, load
config = dataclasses.replace(load("dev"), lake=LakeConfig(root=sys.argv[1], keep_hours=1))
child = Child(name="streaming", command=[sys.executable, "-c", sys.argv[2]], environ=dict(os.environ))
run(lambda _: supervisor.up(config, [child]))
"""
STREAMS = "import os, signal; print('ready', flush=True); signal.pause()"
# A job that waits as long as it may.
JOB = "import signal; from lakehouse.job import run; run(lambda _: (print('ready', flush=True), signal.pause()))"
# Fails at its first start; ready at the second.
FAILS_ONCE = """
import pathlib, signal, sys
seen = pathlib.Path({!r})
if not seen.exists():
    seen.touch()
    print('failed', flush=True)
    sys.exit({})
print('ready', flush=True)
signal.pause()
"""


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
        ours = dataclasses.replace(config.kafka, bootstrap_servers=servers)
        assert admin.answers(ours)
        assert supervisor.down(config)
        assert process.wait() == 0
        assert machine.command_of(streaming) is None
        assert not admin.answers(ours)
        assert not supervisor.down(config)


@pytest.mark.slow
def test_a_broker_that_was_there_before_stays(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert admin.answers(kafka)


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
@pytest.mark.parametrize("code", [7, 75, 0])
def test_a_child_that_ends_is_started_again(config: Config, kafka: RunningBroker, tmp_path: Path, code: int) -> None:
    with up(config, kafka.bootstrap_servers, FAILS_ONCE.format(str(tmp_path / "seen"), code)) as process:
        assert process.stdout.readline() == "failed\n"
        assert process.stderr.readline() == (
            f"streaming: ended by itself, got exit code {code}, expected to run until stopped. Started again in 1 s\n"
        )
        assert process.stdout.readline() == "ready\n"
        second = noted(config)
        os.kill(second, signal.SIGKILL)
        assert process.stderr.readline().startswith("streaming: ended by itself, got SIGKILL")
        assert machine.wait_until(lambda: noted(config) != second, 20)
        third = noted(config)
        assert machine.command_of(third) is not None
        assert supervisor.down(config)
        assert process.wait() == 0
        assert machine.command_of(third) is None, "what was started again is stopped, too"


@pytest.mark.slow
def test_a_child_that_never_says_ready_is_given_up_soon(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers, "print('failed'); exit(7)") as process:
        out, errors = process.communicate()
        assert out == "failed\n" * FIRST_TRIES
        *tries, last = errors.splitlines()
        assert len(tries) == FIRST_TRIES - 1
        assert last.startswith("error: streaming: ended by itself, got exit code 7")
        assert process.returncode == 2


@pytest.mark.slow
def test_what_a_person_must_mend_is_not_tried_again(config: Config, kafka: RunningBroker, tmp_path: Path) -> None:
    with up(config, kafka.bootstrap_servers, FAILS_ONCE.format(str(tmp_path / "seen"), FOR_A_PERSON)) as process:
        out, errors = process.communicate()
        assert (out, process.returncode) == ("failed\n", 2)
        assert errors.startswith("error: streaming: ended by itself, got exit code 2")


@pytest.mark.slow
def test_a_job_ends_with_an_up_that_was_killed(config: Config, kafka: RunningBroker) -> None:
    with up(config, kafka.bootstrap_servers, JOB) as process:
        assert process.stdout.readline() == "ready\n"
        streaming = noted(config)
        process.kill()
        assert machine.wait_until(lambda: machine.command_of(streaming) is None, 20)


@pytest.mark.slow
def test_the_broker_it_started_is_started_again_and_an_up_after_one_that_was_killed_owns_it(config: Config) -> None:
    servers = f"127.0.0.1:{machine.free_port()}"
    with up(config, servers) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(broker.status(config).pid, signal.SIGKILL)
        assert process.stderr.readline().startswith("kafka: ended by itself, got no process")
        assert machine.wait_until(lambda: admin.answers(RunningBroker(bootstrap_servers=servers, pid=0)), 60)
        left = noted(config)
        process.kill()
        process.wait()
        assert machine.command_of(left) is not None
        with up(config, servers) as second:
            assert second.stdout.readline() == "ready\n"
            assert machine.command_of(left) is None
            assert supervisor.down(config)
            assert second.wait() == 0
        assert not admin.answers(RunningBroker(bootstrap_servers=servers, pid=0))


def test_down_without_up_does_nothing(config: Config) -> None:
    assert supervisor.down(config) is False


def test_a_remote_lake_is_not_run_from_here(config: Config) -> None:
    with pytest.raises(LakeError, match=r"lake\.root: got 's3://bucket/lake', expected a local folder for up and down"):
        supervisor.down(dataclasses.replace(config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1)))

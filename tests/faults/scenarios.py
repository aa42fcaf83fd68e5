"""What the driver stands on, taken away: Python workers, the broker, a checkpoint, Redis, the last commit of a table, room on the disk."""

import atexit
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

from lakehouse.kafka import broker
from lakehouse.machine import wait_until
from lakehouse.online.engines import store_url
from lakehouse.queries import events
from lakehouse.tables.events import SILVER_EVENTS
from tests.faults import small_disk
from tests.faults.driver_process import DriverProcess
from tests.faults.kills import CHUNK, PER_SECOND
from tests.faults.trial import PATIENCE_SECONDS, Finding, Trial

AWAY_SECONDS = 15.0
WORKERS_KILLED = 4
FULL_SECONDS = 15.0

Scenario = Callable[[Trial], Finding]


def python_workers_killed(trial: Trial) -> Finding:
    """The query fails, and is started again by the driver."""
    driver = trial.settle()
    with trial.under_load(6 * CHUNK, PER_SECOND):
        for _ in range(WORKERS_KILLED):
            assert wait_until(lambda: bool(driver.workers()), PATIENCE_SECONDS), "no worker came"
            for worker in driver.workers():
                os.kill(worker, signal.SIGKILL)
            time.sleep(1.0)
    return _drained(trial, driver)


def broker_killed(trial: Trial) -> Finding:
    """And started again at its place, after a while."""
    driver = trial.settle()
    with trial.under_load(6 * CHUNK, PER_SECOND):
        time.sleep(3.0)
        _signal_broker(trial, signal.SIGKILL)
        time.sleep(AWAY_SECONDS)
        broker.start(trial.config)
    return _drained(trial, driver)


def broker_frozen(trial: Trial) -> Finding:
    driver = trial.settle()
    with trial.under_load(6 * CHUNK, PER_SECOND):
        time.sleep(3.0)
        _signal_broker(trial, signal.SIGSTOP)
        time.sleep(AWAY_SECONDS)
        _signal_broker(trial, signal.SIGCONT)
    return _drained(trial, driver)


def checkpoint_deleted(trial: Trial) -> Finding:
    """That of events, between two drivers: it reads the topic again from its beginning."""
    driver = trial.settle()
    driver.stop()
    shutil.rmtree(trial.lake.checkpoint(events.NAME))
    trial.send(CHUNK)
    return _drained(trial, trial.start())


def checkpoint_deleted_half_way(trial: Trial) -> Finding:
    """Silver has a micro-batch that profiles have not, and Spark does not know of it any more."""
    driver = trial.settle()
    driver.arm(f"after {SILVER_EVENTS.name}")
    trial.send(CHUNK)
    assert wait_until(lambda: not driver.is_alive, PATIENCE_SECONDS), "it was not killed"
    driver.wait()
    shutil.rmtree(trial.lake.checkpoint(events.NAME))
    return _drained(trial, trial.start())


def second_writer(trial: Trial) -> Finding:
    """It is refused, and the first does not notice."""
    driver = trial.settle()
    with trial.under_load(2 * CHUNK, PER_SECOND):
        second = trial.start()
        assert wait_until(lambda: not second.is_alive, PATIENCE_SECONDS)
        assert second.wait() == 2
    assert "another process writes this lake" in second.log.read_text()
    return _drained(trial, driver)


def torn_commit(trial: Trial) -> Finding:
    """The machine died while a commit was written, half of it is on disk: no driver reads past it, and without it all goes on."""
    driver = trial.settle()
    driver.stop()
    log = Path(trial.lake.path(SILVER_EVENTS)) / "_delta_log"
    last = max(log.glob("[0-9]*.json"))
    torn = log / f"{int(last.stem) + 1:020}.json"
    text = last.read_text()
    torn.write_text(text[: len(text) // 2])
    trial.send(CHUNK)
    refused = trial.start("--available-now")
    assert refused.wait() != 0
    assert torn.read_text() == text[: len(text) // 2], "it was written over"
    torn.unlink()
    return _drained(trial, trial.start())


def disk_full_under_tables(trial: Trial) -> Finding:
    return _without_room(trial, "silver")


def disk_full_under_checkpoints(trial: Trial) -> Finding:
    return _without_room(trial, "_checkpoints")


def disk_full_under_index(trial: Trial) -> Finding:
    return _without_room(trial, "_identity_index")


def disk_full_under_online_store(trial: Trial) -> Finding:
    return _without_room(trial, "_online")


def _without_room(trial: Trial, folder: str) -> Finding:
    """While records come; then there is room again. The driver has worked before, or it would give up soon."""
    trial.settle().stop()
    place = Path(trial.lake.root) / folder
    with small_disk.of_its_own(place):
        driver = trial.settle()
        trial.send(CHUNK)
        assert trial.drain(driver), driver.last_words()
        with trial.under_load(4 * CHUNK, PER_SECOND), small_disk.full(place):
            time.sleep(FULL_SECONDS)
        return _drained(trial, driver)


def redis_killed(trial: Trial) -> Finding:
    """And started again at its place with what it had saved, which is nothing: it is filled again."""
    driver = trial.settle()
    server = _redis(trial).info("server")
    with trial.under_load(3 * CHUNK, PER_SECOND):
        time.sleep(3.0)
        os.kill(server["process_id"], signal.SIGKILL)
        time.sleep(AWAY_SECONDS)
        address = ("--bind", "127.0.0.1", "--port", str(server["tcp_port"]))
        again = subprocess.Popen([server["executable"], *address, "--save", ""], stdout=subprocess.DEVNULL)
        atexit.register(again.kill)  # what comes after needs it, too
    return _drained(trial, driver)


def redis_frozen(trial: Trial) -> Finding:
    """The lake goes on without it, and it catches up."""
    driver = trial.settle()
    server = _redis(trial).info("server")["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        with trial.under_load(3 * CHUNK, PER_SECOND):
            time.sleep(AWAY_SECONDS)
    finally:
        os.kill(server, signal.SIGCONT)
    return _drained(trial, driver)


def redis_flushed(trial: Trial) -> Finding:
    driver = trial.settle()
    with trial.under_load(3 * CHUNK, PER_SECOND):
        time.sleep(3.0)
        _redis(trial).flushall()
    return _drained(trial, driver)


SCENARIOS: tuple[Scenario, ...] = (
    python_workers_killed,
    broker_killed,
    broker_frozen,
    checkpoint_deleted,
    checkpoint_deleted_half_way,
    second_writer,
    torn_commit,
    disk_full_under_tables,
    disk_full_under_checkpoints,
    disk_full_under_index,
    disk_full_under_online_store,
)
WITH_REDIS: tuple[Scenario, ...] = (redis_frozen, redis_flushed, redis_killed)


def _drained(trial: Trial, driver: DriverProcess) -> Finding:
    """What is found once this driver, and no other, has taken in all."""
    assert trial.drain(driver), driver.last_words()
    found = trial.finding()
    driver.stop()
    return found


def _signal_broker(trial: Trial, number: signal.Signals) -> None:
    running = broker.status(trial.config)
    assert running is not None
    os.kill(running.pid, number)


def _redis(trial: Trial) -> "redis.Redis":
    return redis.Redis.from_url(store_url(trial.config))

"""The driver killed: at every failpoint it comes to, and at random while records are sent."""

import os
import random
import signal
import time
from collections.abc import Iterator

from lakehouse.machine import wait_until
from tests.faults.driver_process import DriverProcess
from tests.faults.trial import PATIENCE_SECONDS, Finding, Trial

CHUNK = 150  # of the shop's messages
TRIES = 2  # drivers that may pass without coming to the failpoint
IDLE_SECONDS = 2.0  # in which what follows the last commit is done
PER_SECOND = 25.0
LONGEST_LIFE_SECONDS = 30.0

Row = tuple[str, Finding]


def at_failpoints(trial: Trial, only: str = "", every: int = 1) -> Iterator[Row]:
    """Kill at each failpoint whose name has `only` in it, or one of several with commas between, those found on the way among them. A look after `every` kills.

    Within `every` each driver dies while it makes good what the one before left; the last time one makes good all of it.
    """
    trial.send(2 * CHUNK)
    driver = trial.settle()
    known = list(dict.fromkeys(driver.reached))
    done: set[str] = set()
    wanted = only.split(",")
    while left := [point for point in known if point not in done and any(name in point for name in wanted)][:every]:
        names = []
        for point in left:
            names.append(point if _killed_at(trial, driver, point) else f"{point} (not reached)")
            driver = trial.start()
        assert trial.drain(driver), driver.last_words()
        done.update(left)
        known += [one for one in driver.reached if one not in known]
        yield ", ".join(names), trial.finding()
    driver.stop()


def _killed_at(trial: Trial, driver: DriverProcess, point: str) -> bool:
    """The driver, or the next one from its start on; killed by hand where it does not come there."""
    for _ in range(TRIES):
        driver.arm(point)
        trial.send(CHUNK)
        trial.drain(driver)
        if wait_until(lambda: not driver.is_alive, IDLE_SECONDS):  # noqa: B023  # asked at once
            driver.wait()
            assert driver.killed_at == point, driver.last_words()
            return True
        driver.kill()
        driver = trial.start()
    driver.kill()
    return False


def at_random(trial: Trial, kills: int, seed: int, every: int) -> Iterator[Row]:
    """Kill under load, whatever is under way; the next driver comes at once, as if a supervisor were in a hurry. A look after `every` kills."""
    choose = random.Random(f"{seed}:random")
    for first in range(0, kills, every):
        names = []
        for _ in range(min(every, kills - first)):
            life = choose.uniform(0.0, LONGEST_LIFE_SECONDS)
            how = choose.choice([_all_at_once, _python_alone, _jvm_alone])
            with trial.under_load(round(PER_SECOND * life), PER_SECOND):
                driver = trial.start()
                time.sleep(life)
                how(driver)
            names.append(f"{how.__name__.strip('_')} {life:.0f} s")
        driver = trial.settle()
        yield ", ".join(names), trial.finding()
        driver.stop()


def _all_at_once(driver: DriverProcess) -> None:
    driver.kill()


def _python_alone(driver: DriverProcess) -> None:
    """Its JVM lives on for a moment."""
    os.kill(driver.pid, signal.SIGKILL)
    assert wait_until(lambda: not driver.is_alive, PATIENCE_SECONDS)


def _jvm_alone(driver: DriverProcess) -> None:
    """The driver must notice, and end with an error."""
    jvm = driver.jvm()
    if jvm is None:  # not started yet
        driver.kill()
        return
    os.kill(jvm, signal.SIGKILL)
    assert wait_until(lambda: not driver.is_alive, PATIENCE_SECONDS), "the driver lives on without its JVM"
    assert driver.wait() != 0, driver.last_words()

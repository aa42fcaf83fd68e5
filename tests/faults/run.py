"""Real faults on a lake of its own: after each, what is lost, doubled, other than a rebuild, other in the online store. Exits 1 on any.

    ./spark-submit.sh tests/faults/run.py [--failpoints NAME,NAME] [--kills 50] [--every 5] [--scenarios NAME] [--events 40000]

The driver is killed at random under load, and at each failpoint it comes to (tests/faults/kills.py, failpoints.py); what it stands on is taken
away (scenarios.py). With an online store in LMDB; some scenarios again with Redis. A part is left out by 0 kills or an empty name; a name
takes those that have it in theirs. A look is taken after `every` kills: 1 tells which failpoint it was.
"""

import argparse
import dataclasses
import json
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from lakehouse.config import Config, load
from lakehouse.job import run
from lakehouse.spark.scratch import scratch_lake
from tests import redis_server
from tests.benchmarks.machine import machine
from tests.faults.kills import Row, at_failpoints, at_random
from tests.faults.load import Load
from tests.faults.scenarios import SCENARIOS, WITH_REDIS, Scenario
from tests.faults.trial import Finding, Trial

RECORDS = 300  # of a micro-batch
REDIS_EVENTS = 3_000  # are enough for what is played with Redis
ALL = "*"


class Report:
    """The table, row by row as it comes."""

    def __init__(self) -> None:
        self.rows = self.failed = 0
        print(f"{'seconds':>7}{'batches':>8}{'lost':>6}{'doubled':>8}{'differ':>7}{'online':>7}  fault", flush=True)

    def take(self, trial: Trial, rows: Iterable[Row]) -> None:
        """Print each. What goes wrong in between ends these rows, and counts."""
        began, batches = time.monotonic(), trial.micro_batches()
        try:
            for name, found in rows:
                took, finished = time.monotonic() - began, trial.micro_batches() - batches
                self._print(name, found, took, finished)
                began, batches = time.monotonic(), trial.micro_batches()
        except Exception:
            self.failed += 1
            traceback.print_exc()
            trial.kill_drivers()

    def _print(self, name: str, found: Finding, took: float, batches: int) -> None:
        self.rows += 1
        self.failed += not found.is_clean
        mark = "" if found.is_clean else "  <-- WRONG"
        figures = f"{found.lost:>6}{found.doubled:>8}{found.differences:>7}{found.online:>7}"
        print(f"{took:>7.0f}{batches:>8}{figures}  {name}{mark}", flush=True)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="faults")
    parser.add_argument("--failpoints", default=ALL)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--scenarios", default=ALL)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(argv)
    report, facts = Report(), machine(load())
    scenarios, with_redis = (
        [one for one in all_ if _is_asked(one, arguments.scenarios)] for all_ in (SCENARIOS, WITH_REDIS)
    )
    if arguments.kills or arguments.failpoints or scenarios:
        with scratch_lake(load(), "faults") as lake:
            trial = Trial(lake, Load(arguments.events, arguments.seed), RECORDS)
            trial.send(RECORDS)
            if arguments.kills:
                report.take(trial, at_random(trial, arguments.kills, arguments.seed, arguments.every))
            if arguments.failpoints:
                report.take(trial, at_failpoints(trial, arguments.failpoints.strip(ALL), arguments.every))
            _play(trial, scenarios, report)
    if with_redis:
        with ExitStack() as stack:
            url, _ = stack.enter_context(redis_server.running(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            lake = stack.enter_context(scratch_lake(_with_store(load(), url), "faults-redis"))
            of_redis = Load(REDIS_EVENTS, arguments.seed)
            trial = Trial(lake, of_redis, RECORDS, {"STITCHLAKE__ONLINE_STORE__URL": url})
            trial.send(RECORDS)
            _play(trial, with_redis, report)
    print(json.dumps({"benchmark": "faults", "rows": report.rows, "wrong": report.failed, **facts}))
    return 1 if report.failed or not report.rows else 0


def _is_asked(scenario: Scenario, name: str) -> bool:
    return bool(name) and name.strip(ALL) in scenario.__name__


def _play(trial: Trial, scenarios: Iterable[Scenario], report: Report) -> None:
    """One after another; after one that went wrong the next is played all the same. At the end what is left of the load."""
    for scenario in scenarios:
        report.take(trial, _played(trial, scenario))
    report.take(trial, _all_of_it(trial))


def _played(trial: Trial, scenario: Scenario) -> Iterator[Row]:
    yield scenario.__name__.replace("_", " "), scenario(trial)


def _all_of_it(trial: Trial) -> Iterator[Row]:
    """Orders and money are compared with the truth, too."""
    if not trial.load.is_whole:
        trial.send(trial.load.events)
    driver = trial.settle()
    yield f"the whole load, {len(trial.load.accepted)} events", trial.finding()
    driver.stop()


def _with_store(config: Config, url: str) -> Config:
    return dataclasses.replace(config, online_store=dataclasses.replace(config.online_store, url=url))


if __name__ == "__main__":
    run(main)

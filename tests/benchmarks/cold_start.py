"""Seconds from the start of a driver until its first events are in gold, and the CPU that took.

    ./spark-submit.sh tests/benchmarks/cold_start.py [--available-now] [--events 100000] [--check]

The topic is filled first; then the clock starts, and with it the JVM. `streaming --available-now` from a scheduler pays this each
time; with --available-now the launcher starts the JVM as it does for that. --check: `rebuild --check` of the lake afterwards; exit 1 on any difference.
"""

import argparse
import json
import time
from datetime import UTC, datetime

from batch.rebuild import check_declared
from lakehouse.commands.launcher import DRAIN
from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import drain
from lakehouse.spark.scratch import scratch_config
from lakehouse.spark.session import get_session
from tests.benchmarks.machine import cpu_seconds, machine

SEED = 7


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="cold_start")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument(DRAIN, action="store_true")  # read by the launcher
    arguments = parser.parse_args(argv)
    with scratch_config(load(), "cold_start") as config:
        kafka = config.kafka
        messages = Shop(arguments.events, SEED).messages()
        sent = produce(messages, kafka, kafka.events_topic, on_progress=lambda n: None)
        began, spent, started = time.perf_counter(), cpu_seconds(), datetime.now(UTC)
        lake = Lake(get_session(config, "cold_start"), config)
        session = time.perf_counter() - began
        micro_batch = events.new_micro_batch(lake)
        drain(lake, [events.start_with(micro_batch), bronze_events.start])
        ended, cpu = time.perf_counter() - began, cpu_seconds() - spent
        commits = [record.committed_at for record in micro_batch.records if record.committed_at is not None]
        result = {
            "benchmark": "cold_start",
            "events": sent,
            "session_seconds": round(session, 1),
            "first_gold_seconds": round((min(commits) - started).total_seconds(), 1),
            "last_gold_seconds": round((max(commits) - started).total_seconds(), 1),
            "all_seconds": round(ended, 1),
            "cpu_seconds": round(cpu, 1),
            "cpu_microseconds_an_event": round(cpu / sent * 1e6),
            "stage_seconds": [record.seconds for record in micro_batch.records],
            "profiles": lake.read(GOLD_ACTIVATION).count(),
            **machine(config),
        }
        differences = check_declared(lake) if arguments.check else 0
    print(json.dumps(result))
    return 1 if differences else 0


if __name__ == "__main__":
    run(main)

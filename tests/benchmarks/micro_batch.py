"""What a micro-batch costs: seconds, seconds by stage, and CPU of all processes; one after another, of as many events each.

    ./spark-submit.sh tests/benchmarks/micro_batch.py [--events 1700] [--batches 60] [--history 20000] [--poison 0.05] [--check]

The lake begins as that of freshness.py. But nothing here waits for a clock, so that CPU seconds are comparable on a machine that others use, too. The
first third of the micro-batches does not count. --poison: the share of records that are no events. --check: `rebuild --check` of the lake afterwards; exit 1 on any difference.
"""

import argparse
import dataclasses
import json
import statistics
import time
from itertools import islice, pairwise

from batch.rebuild import check_declared
from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.queries import bronze_events, events
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from tests.benchmarks.freshness import SEED, remember
from tests.benchmarks.machine import cpu_seconds, machine
from tests.benchmarks.poison import poisoned


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="micro_batch")
    parser.add_argument("--events", type=int, default=1700)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--history", type=int, default=20_000)
    parser.add_argument("--poison", type=float, default=0.0)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args(argv)
    with scratch_lake(load(), "micro_batch") as lake:
        messages = Shop(arguments.history + arguments.batches * arguments.events, SEED).messages()
        remember(lake, islice(messages, arguments.history))
        kafka, config = lake.config.kafka, lake.config
        produce(poisoned(messages, arguments.poison, SEED), kafka, kafka.events_topic, on_progress=lambda n: None)
        small = dataclasses.replace(config.profiles, max_offsets_per_trigger=arguments.events)
        lake = Lake(lake.spark, dataclasses.replace(config, profiles=small))
        ends: list[tuple[float, float, BatchRecord]] = []

        def note(record: BatchRecord) -> None:
            ends.append((time.perf_counter(), cpu_seconds(), record))

        await_all(lake, [events.start_with(events.new_micro_batch(lake, note))(lake, available_now=True)])
        counted = list(pairwise(ends))[len(ends) // 3 :]
        stages = {name: [after[2].seconds.get(name, 0.0) for _, after in counted] for name in ends[-1][2].seconds}
        result = {
            "benchmark": "micro_batch",
            "events": arguments.events,
            "poison": arguments.poison,
            "quarantined": sum(sum(record.quarantined.values()) for _, _, record in ends),
            "micro_batches": len(counted),
            "seconds": round(statistics.median(after[0] - before[0] for before, after in counted), 3),
            "least_seconds": round(min(after[0] - before[0] for before, after in counted), 3),
            "cpu_seconds": round(statistics.median(after[1] - before[1] for before, after in counted), 3),
            "median_stage_seconds": {name: round(statistics.median(seconds), 3) for name, seconds in stages.items()},
            **machine(lake.config),
        }
        differences = 0
        if arguments.check:
            await_all(lake, [bronze_events.start(lake, available_now=True)])
            differences = check_declared(lake)
    print(json.dumps(result))
    return 1 if differences else 0


if __name__ == "__main__":
    run(main)

"""Seconds from produced to committed in gold.activation, under an open-loop load.

    ./spark-submit.sh tests/benchmarks/freshness.py [--rate 500] [--seconds 180] [--warm-up 60]

Open loop: records are sent on schedule whatever the pipeline does, so a slow batch cannot slow its own load. Every record
sent after the warm-up counts, by the broker's time stamp and the commit of the micro-batch that read it.
"""

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lakehouse.command_line import run
from lakehouse.demo.drain import Progress
from lakehouse.freshness import end_offsets, latencies, produced
from lakehouse.io import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.sources.produce import produce
from lakehouse.sources.shop import Shop
from lakehouse.streams import start_all
from streaming import bronze_events, profiles, silver_events
from tests.benchmarks.scratch import machine, scratch_lake

SEED = 7
POLL_SECONDS = 0.5


def load_queries(lake: Lake, rate: float, seconds: int) -> MicroBatch:
    """Run the three queries under `rate` records a second for `seconds`, then until all of it is in gold."""
    micro_batch = MicroBatch(lake, Champions(lake.config))

    def start_profiles(lake: Lake, *, available_now: bool) -> object:
        return profiles.start(lake, available_now=available_now, micro_batch=micro_batch)

    queries = start_all(lake, [start_profiles, bronze_events.start, silver_events.start], available_now=False)
    kafka = lake.config.kafka
    messages = Shop(int(rate * seconds), SEED).messages()
    progress = Progress(kafka.bootstrap_servers, kafka.events_topic)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(
            produce, messages, kafka.bootstrap_servers, kafka.events_topic, on_progress=lambda n: None, per_second=rate
        )
        while not (sending.done() and progress.position(queries).drained(["profiles"])):
            for query in queries:
                if (error := query.exception()) is not None:
                    raise error
            time.sleep(POLL_SECONDS)
        sending.result()
    for query in queries:
        query.stop()
    progress.close()
    return micro_batch


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="freshness")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--warm-up", type=int, default=60)
    arguments = parser.parse_args(argv)
    with scratch_lake("freshness") as lake:
        micro_batch = load_queries(lake, arguments.rate, arguments.seconds)
        times = produced(lake).toPandas()
        counted_from = times["produced_at"].min() + np.timedelta64(arguments.warm_up, "s")
        ends = end_offsets(lake.checkpoint("profiles"), lake.config.kafka.events_topic)
        waits = latencies(micro_batch.records, ends, times[times["produced_at"] >= counted_from])
        seconds = np.concatenate([w for w in waits.values() if len(w)])
        counted = [r for r in micro_batch.records if len(waits.get(r.batch_id, ()))]
        stages = {n: round(statistics.median(r.seconds.get(n, 0.0) for r in counted), 2) for n in counted[-1].seconds}
        result = {
            "benchmark": "freshness",
            "events_per_second": arguments.rate,
            "events": len(seconds),
            "gold_p50_seconds": round(float(np.quantile(seconds, 0.5)), 2),
            "gold_p99_seconds": round(float(np.quantile(seconds, 0.99)), 2),
            "gold_max_seconds": round(float(seconds.max()), 2),
            "micro_batches": len(counted),
            "median_stage_seconds": stages,
            **machine(lake.config),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

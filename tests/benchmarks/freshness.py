"""Seconds from produced to readable in the online store and to committed in gold.activation, under an open-loop load.

    ./spark-submit.sh tests/benchmarks/freshness.py [--rate 500] [--seconds 180] [--warm-up 60] [--history 30000] [--poison 0.05] [--import-beside]

The lake begins with a history and champions trained on it, so that every profile is scored as in production. Then open
loop: records are sent on schedule whatever the pipeline does, so a slow batch cannot slow its own load. Every record sent
after the warm-up counts, by the broker's time stamp and the commit of the micro-batch that read it. --poison: the share of records that are no events.
--import-beside: batch/import_records.py sends a file of history into the same topic meanwhile, as fast as it lets itself; its records do not count.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import load
from lakehouse.demo.drain import Progress
from lakehouse.demo.freshness import end_offsets, in_online_store, latencies, produced
from lakehouse.demo.shop import Shop
from lakehouse.job import run
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import Start, await_all
from lakehouse.training import scores, segments
from tests.benchmarks.history import made_file, start_import
from tests.benchmarks.machine import machine
from tests.benchmarks.poison import poisoned

SEED = 7
POLL_SECONDS = 0.5
HORIZON_DAYS = 5
LONG_HISTORY = 3_000_000  # events
IMPORTED = '"library":{"name":"simple-events"}'  # in every document of that history
QUERIES: list[Start] = [events.start, bronze_events.start]


def remember(lake: Lake, history: Iterable[Message]) -> None:
    """Fill the lake with a history and train both champions on it."""
    kafka = lake.config.kafka
    produce(history, kafka, kafka.events_topic, on_progress=lambda n: None)
    await_all(lake, start_all(lake, QUERIES, available_now=True))
    segments.train(lake)
    # A horizon that fits a history of some weeks: how long scoring takes does not depend on it.
    short = dataclasses.replace(lake.config.scores, horizon_days=HORIZON_DAYS)
    scores.train(Lake(lake.spark, dataclasses.replace(lake.config, scores=short)))


@contextmanager
def import_beside(lake: Lake, *, is_wanted: bool) -> Iterator[None]:
    """A history that has no end for as long as this takes."""
    if not is_wanted:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        process = start_import(lake.config, made_file(Path(folder), LONG_HISTORY, "parquet"))
        try:
            yield
            assert process.poll() is None, "the import has ended"
        finally:
            process.kill()
            process.wait()


def load_queries(lake: Lake, messages: Iterable[Message], rate: float, *, is_import_beside: bool = False) -> MicroBatch:
    """Run both queries under `rate` records a second, then until all of it is in gold."""
    micro_batch = events.new_micro_batch(lake)

    queries = start_all(lake, [events.start_with(micro_batch), *QUERIES[1:]], available_now=False)
    kafka = lake.config.kafka
    progress = Progress(kafka, kafka.events_topic)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(produce, messages, kafka, kafka.events_topic, on_progress=lambda n: None, per_second=rate)
        with import_beside(lake, is_wanted=is_import_beside):
            _await(queries, sending.done)
        _await(queries, lambda: progress.position(queries).drained([events.NAME]))
        sending.result()
    for query in queries:
        query.stop()
    progress.close()
    return micro_batch


def _await(queries: list[StreamingQuery], is_done: Callable[[], bool]) -> None:
    while not is_done():
        for query in queries:
            if (error := query.exception()) is not None:
                raise error
        time.sleep(POLL_SECONDS)


def _all_of(waits: dict[int, np.ndarray]) -> np.ndarray:
    return np.concatenate([seconds for seconds in waits.values() if len(seconds)])


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="freshness")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--history", type=int, default=30_000)
    parser.add_argument("--poison", type=float, default=0.0)
    parser.add_argument("--import-beside", action="store_true")
    arguments = parser.parse_args(argv)
    with scratch_lake(load(), "freshness") as lake:
        messages = Shop(arguments.history + int(arguments.rate * arguments.seconds), SEED).messages()
        remember(lake, islice(messages, arguments.history))
        started = datetime.now(UTC)
        live = poisoned(messages, arguments.poison, SEED)
        micro_batch = load_queries(lake, live, arguments.rate, is_import_beside=arguments.import_beside)
        is_imported = F.col("value").cast("string").contains(IMPORTED)
        times, imported = produced(lake, ~is_imported).toPandas(), produced(lake, is_imported).count()
        counted_from = np.datetime64(started.replace(tzinfo=None)) + np.timedelta64(arguments.warm_up, "s")
        ends = end_offsets(lake.checkpoint(events.NAME), lake.config.kafka.events_topic)
        times = times[times["produced_at"] >= counted_from]
        waits = latencies(micro_batch.records, ends, times)
        seconds = _all_of(waits)
        online = _all_of(latencies(micro_batch.records, ends, times, until=in_online_store))
        counted = [r for r in micro_batch.records if len(waits.get(r.batch_id, ()))]
        stages = {n: round(statistics.median(r.seconds.get(n, 0.0) for r in counted), 2) for n in counted[-1].seconds}
        result = {
            "benchmark": "freshness",
            "events_per_second": arguments.rate,
            "poison": arguments.poison,
            "events": len(seconds),
            "imported_per_second": round(imported / arguments.seconds),
            "gold_p50_seconds": round(float(np.quantile(seconds, 0.5)), 2),
            "gold_p99_seconds": round(float(np.quantile(seconds, 0.99)), 2),
            "gold_max_seconds": round(float(seconds.max()), 2),
            "online_p50_seconds": round(float(np.quantile(online, 0.5)), 2),
            "online_p99_seconds": round(float(np.quantile(online, 0.99)), 2),
            "micro_batches": len(counted),
            "median_stage_seconds": stages,
            **machine(lake.config),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

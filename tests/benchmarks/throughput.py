"""Events per second from Kafka to gold.activation, as a share of what parsing straight into Delta takes.

    ./spark-submit.sh tests/benchmarks/throughput.py [--events 1000000]

Both read the same topic in the same process. The pass-through is what nobody can do without: read, parse, append, no
deduplication, no identity, no merge. The product's clock stops when `events` has committed the last record to gold and silver;
bronze runs beside it all the time, as in production.
"""

import argparse
import json
import time

from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.events.parse import parse
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.kafka.source import read_records
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import SILVER_EVENTS
from tests.benchmarks.machine import machine

SEED = 7


def pass_through(lake: Lake, name: str) -> float:
    """Seconds to parse the topic into one Delta table."""
    parsed = parse(read_records(lake, lake.config.profiles.max_offsets_per_trigger, query=name), lake.config)
    accepted = parsed.where(F.col("reason").isNull()).select(*SILVER_EVENTS.column_names)
    started = time.perf_counter()
    query = (
        accepted.writeStream.format("delta")
        .option("checkpointLocation", f"{lake.root}/_benchmark/{name}/_checkpoint")
        .trigger(availableNow=True)
        .start(f"{lake.root}/_benchmark/{name}")
    )
    query.awaitTermination()
    return time.perf_counter() - started


def product(lake: Lake) -> tuple[float, MicroBatch]:
    """Seconds until silver and gold.activation hold everything, both queries running."""
    micro_batch = events.new_micro_batch(lake)
    started = time.perf_counter()
    gold, *others = start_all(
        lake,
        [events.start_with(micro_batch), bronze_events.start],
        available_now=True,
    )
    gold.awaitTermination()
    seconds = time.perf_counter() - started
    await_all(lake, others)
    return seconds, micro_batch


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="throughput")
    parser.add_argument("--events", type=int, default=1_000_000)
    count = parser.parse_args(argv).events
    with scratch_lake(load(), "throughput") as lake:
        kafka = lake.config.kafka
        messages = Shop(count, SEED).messages()
        sent = produce(messages, kafka, kafka.events_topic, on_progress=lambda n: None)
        print(f"{sent:,} records in the topic", flush=True)
        warm_up = pass_through(lake, "warm_up")  # the first run also pays for the JVM's compiler
        before = pass_through(lake, "before")
        seconds, micro_batch = product(lake)
        after = pass_through(lake, "after")
        fastest = min(before, after)
        stages = {
            name: round(sum(r.seconds.get(name, 0) for r in micro_batch.records), 1)
            for name in dict.fromkeys(name for r in micro_batch.records for name in r.seconds)
        }
        result = {
            "benchmark": "throughput",
            "events": sent,
            "share_of_passthrough": round(fastest / seconds, 3),
            "events_per_second": round(sent / seconds),
            "passthrough_events_per_second": round(sent / fastest),
            "passthrough_seconds": [round(s, 1) for s in (warm_up, before, after)],
            "gold_seconds": round(seconds, 1),
            "micro_batches": len(micro_batch.records),
            "stage_seconds": stages,
            "profiles": lake.read(GOLD_ACTIVATION).count(),
            **machine(lake.config),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

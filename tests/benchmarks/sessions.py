"""What enrichment and silver.sessions cost a micro-batch, in CPU time of the driver and of a Python worker.

    ./spark-submit.sh tests/benchmarks/sessions.py [--events 60000] [--batch 1500] [--limit-ms 125]

A simulated shop's events, read as the stream reads them, go into a lake batch by batch. Counted is the process's own time, threads of
delta-rs and Arrow among it, which a crowded machine does not change. Exits with 1 when a batch takes more than the limit (5 % of the 2.5 s that
1,500 events take), or when the table is not what a rebuild gives.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import pyarrow as pa

from lakehouse.config import Config, load
from lakehouse.demo.shop import Shop
from lakehouse.events.event_row import EventReader
from lakehouse.events.event_rows import RECORD, event_rows
from lakehouse.job import run
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.differences import compare, summarise
from lakehouse.sessions.rebuilt_sessions import rebuilt_sessions
from lakehouse.sessions.session_step import SessionStep
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.sessions.visit_index import fill, index_of, stamp_of
from lakehouse.spark.scratch import scratch_lake
from lakehouse.tables.events import SILVER_EVENTS
from tests.benchmarks.machine import machine

SEED = 7
ROUNDS = 4  # of reading, with enrichment and without, by turns


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def read(values: list[bytes | None], config: Config) -> None:
    reader, now = EventReader(config), time.time_ns() // 1000
    for value in values:
        reader.read(value, now, now)


def enrichment_microseconds(values: list[bytes | None], config: Config) -> float:
    """Of one event, the first time that a worker sees the shop's pages and user agents included."""
    off = dataclasses.replace(config.enrichment, user_agents=False, traffic=False, sessions=False)
    plain = dataclasses.replace(config, enrichment=off)
    read(values[:1000], config)
    both = [
        (cpu_seconds(lambda: read(values, config)), cpu_seconds(lambda: read(values, plain))) for _ in range(ROUNDS)
    ]
    return median(on - without for on, without in both) / len(values) * 1e6


def accepted(values: list[bytes | None], config: Config) -> pa.Table:
    """Rows of silver.events, in order of arrival, each message once."""
    now = pa.array([time.time_ns() // 1000] * len(values), pa.timestamp("us", tz="UTC"))
    place = [pa.array(["events"] * len(values)), pa.array([0] * len(values)), pa.array(range(len(values)))]
    records = pa.RecordBatch.from_arrays([*place, pa.array(values, pa.binary()), now, now], list(RECORD))
    rows = pa.Table.from_batches(event_rows(config)([records]))
    first: dict[str, int] = {}
    for number, (id_, reason) in enumerate(
        zip(rows["message_id"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    ):
        if reason is None:
            first.setdefault(id_, number)
    rows = rows.take(pa.array(first.values()))
    schema = arrow_schema(SILVER_EVENTS)
    return rows.select(schema.names).cast(schema)


def keep(lake: Lake, events: pa.Table, size: int) -> list[float]:
    """CPU seconds of SessionStep, batch by batch."""
    step, took = SessionStep(lake), []
    for batch_id, first in enumerate(range(0, events.num_rows, size)):
        step.prepare()
        batch = events.slice(first, size)
        lake.append(batch, SILVER_EVENTS, Transaction(application="benchmark", batch_id=batch_id))
        took.append(cpu_seconds(partial(step.take_in, batch)))
    return took


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sessions")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=1_500)
    parser.add_argument("--limit-ms", type=float, default=125)
    options = parser.parse_args(argv)
    config = load()
    values = [message.value for message in Shop(options.events, SEED).messages()]
    with scratch_lake(config, "sessions") as lake:
        lake.create_missing([SILVER_EVENTS, SILVER_SESSIONS])
        events = accepted(values, lake.config)
        took = keep(lake, events, options.batch)
        differing = summarise(
            SILVER_SESSIONS, compare(SILVER_SESSIONS, lake.read(SILVER_SESSIONS), rebuilt_sessions(lake))
        )
        index = index_of(lake)
        refilled = cpu_seconds(lambda: fill(index, lake, stamp_of(lake)))
        steady = sorted(took[len(took) // 2 :])
        result: dict[str, Any] = {
            "benchmark": "sessions",
            "events": events.num_rows,
            "sessions": differing.rows,
            "differences": differing.total,
            "batch_events": options.batch,
            "batch_cpu_milliseconds": round(median(steady) * 1000, 1),
            "batch_cpu_p95_milliseconds": round(steady[int(len(steady) * 0.95)] * 1000, 1),
            "enrichment_microseconds": round(enrichment_microseconds(values, lake.config), 2),
            "index_bytes_per_event": round(index.bytes / events.num_rows),
            "index_events_per_cpu_second": round(events.num_rows / refilled),
            "limit_milliseconds": options.limit_ms,
            **machine(config),
        }
    print(json.dumps(result))
    return int(differing.total > 0 or result["batch_cpu_milliseconds"] > options.limit_ms)


if __name__ == "__main__":
    run(main)

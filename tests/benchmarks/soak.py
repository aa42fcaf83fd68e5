"""Whether a lake that is written all day stays as it was: memory, log, files, checkpoints, and how long a table takes to open.

    ./spark-submit.sh tests/benchmarks/soak.py [--minutes 30] [--per_second 10] [--keep_minutes 3]

Writes at a fixed rate, as the `events` query does: sums added by a transaction, sets merged beside a change feed, rows appended,
rows set in the order of time. Besides, a stream with state appends to bronze. After each write maintenance has its turn. Once the retention
has passed, and Spark has made the hundred batches that it keeps, figures are taken; the median of their last quarter is held to that of their
first, and the exit code says whether all stayed below their limits.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.retention import Retention
from lakehouse.lake.transaction import Transaction
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.queries import bronze_events
from lakehouse.spark.scratch import scratch_lake
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES
from tests.benchmarks.machine import machine

START = datetime(2026, 1, 31, 12)
PEOPLE = 2_000
ROWS = 50  # of a write
SETTLE_SECONDS = 150.0
WRITTEN = (SILVER_ACTIVITY_DAILY, GOLD_ACTIVATION, SILVER_EVENT_FAULTS, SILVER_IDENTITY_EDGES)
LIMITS = {
    "python_mb": 1.1, "heap_mb": 1.15, "log_files": 1.3, "data_files": 1.3, "checkpoint_files": 1.2,
    "open_ms": 1.3, "pause_ms": 1.5,
}  # fmt: skip


class Writer:
    """Makes commit after commit, each on the next table. Only appended rows add to a table; others set those of the same people."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._chance = np.random.default_rng(7)
        self._turns = cycle([self._activity, self._activation, self._faults, self._edges])
        self._step = 0

    def write(self) -> None:
        self._step += 1
        next(self._turns)(Transaction(application="soak", batch_id=self._step))

    def _actors(self) -> list[str]:
        return [f"{number:032x}" for number in sorted(self._chance.choice(PEOPLE, ROWS, replace=False))]

    def _activity(self, once: Transaction) -> None:
        told = {"actor_id": self._actors(), "activity_date": [START.date()] * ROWS}
        rows = filled(SILVER_ACTIVITY_DAILY, told, self._step)
        self._lake.upsert(rows, SILVER_ACTIVITY_DAILY, once=once)

    def _activation(self, once: Transaction) -> None:
        rows = filled(GOLD_ACTIVATION, {"profile_id": self._actors()}, self._step)
        deleted = pa.array(self._chance.random(ROWS) < 0.1)
        self._lake.upsert(rows.append_column("is_deleted", deleted), GOLD_ACTIVATION, deletes=True, once=once)

    def _faults(self, _: Transaction) -> None:
        self._lake.add(filled(SILVER_EVENT_FAULTS, {"message_id": self._actors()}, self._step), SILVER_EVENT_FAULTS)

    def _edges(self, _: Transaction) -> None:
        at = [START + timedelta(seconds=self._step)] * ROWS
        told = {"actor_id": self._actors(), "first_seen_at": at, "weight": [1.0] * ROWS}
        self._lake.add(filled(SILVER_IDENTITY_EDGES, told, self._step), SILVER_IDENTITY_EDGES)


def filled(table: Table, told: dict[str, list], step: int) -> pa.Table:
    """Rows of the table: what is told, and in every other column that may not be null the step, as the type takes it."""
    rows = len(next(iter(told.values())))
    columns = []
    for field in arrow_schema(table):
        if field.name in told:
            columns.append(pa.array(told[field.name], field.type))
        elif field.nullable:
            columns.append(pa.nulls(rows, field.type))
        elif pa.types.is_timestamp(field.type):
            columns.append(pa.array([START + timedelta(seconds=step)] * rows, field.type))
        elif pa.types.is_list(field.type):
            columns.append(pa.array([[]] * rows, field.type))
        else:
            columns.append(pa.array([str(step % 2)] * rows).cast(field.type))
    return pa.Table.from_arrays(columns, schema=arrow_schema(table))


def stream(lake: Lake) -> StreamingQuery:
    """A stream that remembers keys, appends to bronze once a second and maintains it, as the queries of the topic do."""
    rate = lake.spark.readStream.format("rate").option("rowsPerSecond", 20).load()
    told = rate.withColumn("value", F.col("value") % 1000).withWatermark("timestamp", "10 seconds")
    upkeep = Upkeep(lake, [BRONZE_EVENTS])

    def write(rows: DataFrame, batch_id: int) -> None:
        text = F.col("value").cast("string")
        columns = {
            "topic": F.lit("soak"),
            "partition": F.lit(0),
            "offset": F.col("value"),
            "kafka_timestamp": F.col("timestamp"),
        }
        columns |= {
            "key": F.lit(None).cast("binary"),
            "value": text.cast("binary"),
            "ingested_at": F.current_timestamp(),
        }
        once = bronze_events.SinkTransaction(application="soak", batch_id=batch_id)
        lake.append(
            rows.select(*(columns[name].alias(name) for name in BRONZE_EVENTS.column_names)), BRONZE_EVENTS, once
        )
        upkeep.pause()

    kept = told.dropDuplicatesWithinWatermark(["value"])
    query = kept.writeStream.queryName("soak").option("checkpointLocation", lake.checkpoint("soak"))
    return query.foreachBatch(write).trigger(processingTime="1 second").start()


def sample(lake: Lake, took: list[float]) -> dict[str, float]:
    """What must stay as it is."""
    assert lake.spark._jvm is not None
    runtime = lake.spark._jvm.java.lang.Runtime.getRuntime()
    lake.spark._jvm.java.lang.System.gc()
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    tables = [Path(lake.path(table)) for table in (*WRITTEN, BRONZE_EVENTS)]
    figures = {
        "python_mb": int(resident.split()[1]) / 1024,
        "heap_mb": (runtime.totalMemory() - runtime.freeMemory()) / 2**20,
        "log_files": sum(len(list((table / "_delta_log").iterdir())) for table in tables),
        "data_files": sum(sum(1 for _ in table.rglob("*.parquet")) for table in tables),
        "checkpoint_files": sum(1 for path in Path(lake.checkpoint("soak")).rglob("*") if path.is_file()),
        "open_ms": statistics.median(milliseconds(partial(DeltaTable, str(table))) for table in tables * 3),
        "pause_ms": statistics.median(took),
        "longest_pause_ms": max(took),
    }
    took.clear()
    return figures


def milliseconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def paced(seconds: float, per_second: float) -> Iterator[float]:
    """So many times a second, on time on average; gives how late each is, in seconds."""
    began = time.perf_counter()
    number = 0
    while (due := number / per_second) < seconds:
        time.sleep(max(0.0, began + due - time.perf_counter()))
        yield time.perf_counter() - began - due
        number += 1


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--per_second", type=float, default=10)
    parser.add_argument("--keep_minutes", type=float, default=3)
    arguments = parser.parse_args(argv)
    seconds, keep = arguments.minutes * 60, timedelta(minutes=arguments.keep_minutes)
    every = max(2.0, seconds / 120)
    samples: list[dict[str, float]] = []
    took: list[float] = []
    with scratch_lake(load(), "soak") as lake:
        lake.retention = Retention(keep=keep, trims_log=True)
        lake.create_missing((*WRITTEN, BRONZE_EVENTS))
        writer, upkeep, query = Writer(lake), Upkeep(lake, WRITTEN), stream(lake)
        latest, commits, next_at = 0.0, 0, every
        for late in paced(seconds, arguments.per_second):
            writer.write()
            took.append(milliseconds(upkeep.pause))
            latest, commits = max(latest, late), commits + 1
            if commits / arguments.per_second >= next_at:
                samples.append(sample(lake, took))
                next_at += every
        batches = query.lastProgress["batchId"] if query.lastProgress else 0
        query.stop()
        said = {"config": machine(lake.config)}
    settled = samples[int(max(1.5 * keep.total_seconds(), SETTLE_SECONDS) / every) :]
    quarter = max(1, len(settled) // 4)
    figures = {
        name: [statistics.median(one[name] for one in part) for part in (settled[:quarter], settled[-quarter:])]
        for name in LIMITS
    }
    longest = statistics.median(one["longest_pause_ms"] for one in settled)
    over = [name for name, (first, last) in figures.items() if last > first * LIMITS[name]]
    for name, (first, last) in figures.items():
        print(f"{name:18}{first:>10.1f}{last:>10.1f}   x {last / max(first, 1e-9):.2f}, limit {LIMITS[name]}")
    rounded = {name: [round(value, 1) for value in both] for name, both in figures.items()}
    result = {"benchmark": "soak", "commits": commits, "batches": batches, "latest_seconds": round(latest, 2)}
    result |= {"longest_pause_ms": round(longest, 1)}
    print(json.dumps({**result, "first_and_last_quarter": rounded, "over": over, **vars(arguments), **said["config"]}))
    return 1 if over else 0


if __name__ == "__main__":
    run(main)

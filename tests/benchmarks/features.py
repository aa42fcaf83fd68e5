"""Declared features: what a micro-batch costs with none, some and many of them, and that gold equals brute force.

    ./spark-submit.sh tests/benchmarks/features.py [--events 30000] [--features 0 20 200] [--batch 1700] [--days 3]

For each number of features, drawn at random: a new lake, the events of the demo's shop through a broker, micro-batches of --batch events one after another.
The first third of them does not count. Then every row of gold.features, and a training set for --days past days, is held to DuckDB over silver.events, and
`rebuild --check` is run. Exit 1 on a difference. CPU is of all processes.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.streaming.query import StreamingQuery

from batch.rebuild import check
from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.feature_book.kept_features import keep
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.features import gold_features
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.feature_set import feature_set
from tests import feature_oracle as oracle
from tests.benchmarks.machine import cpu_seconds, machine

SEED = 17


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="features")
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--features", type=int, nargs="+", default=[0, 20, 200])
    parser.add_argument("--batch", type=int, default=1700)
    parser.add_argument("--days", type=int, default=3)
    arguments = parser.parse_args(argv)
    result: dict[str, Any] = {"benchmark": "features", "events": arguments.events, "batch_events": arguments.batch}
    differences = 0
    for count in arguments.features:
        with scratch_lake(load(), "features") as lake, tempfile.TemporaryDirectory() as folder:
            entries = oracle.random_declarations(SEED, count, own_properties=False)
            features = oracle.declared(Path(folder), entries) if entries else NO_FEATURES
            told = _cost(lake, features, arguments.events, arguments.batch)
            if entries:
                told |= _sizes(lake, features) | _skew(lake, features, entries, arguments.days)
                await_all(lake, [bronze_events.start(lake, available_now=True)])
                differences += told["differences"] + check(lake, features=features)
            result |= {f"{name}_of_{count}": value for name, value in told.items()}
            result |= machine(lake.config)
            print(json.dumps(told), flush=True)
    print(json.dumps(result | {"differences": differences}))
    return 1 if differences else 0


def _cost(lake: Lake, features: Features, count: int, batch: int) -> dict[str, Any]:
    config = lake.config
    produce(Shop(count, SEED).messages(), config.kafka, config.kafka.events_topic, on_progress=lambda n: None)
    lake.config = dataclasses.replace(
        config, profiles=dataclasses.replace(config.profiles, max_offsets_per_trigger=batch)
    )
    ends: list[tuple[float, float, BatchRecord]] = []

    def note(record: BatchRecord) -> None:
        ends.append((time.perf_counter(), cpu_seconds(), record))

    def start(lake: Lake, *, available_now: bool) -> StreamingQuery:
        kept = MicroBatch(lake, Champions(lake.config), note=note, features=keep(lake, features))
        return events.start(lake, available_now=available_now, micro_batch=kept)

    await_all(lake, start_all(lake, [start], available_now=True))
    counted = list(pairwise(ends))[len(ends) // 3 :]
    stages = ("leaf", "silver", "rollup", "gold", "windows")
    return {
        "seconds": round(statistics.median(after[0] - before[0] for before, after in counted), 3),
        "cpu_seconds": round(statistics.median(after[1] - before[1] for before, after in counted), 3),
        "stage_seconds": {
            name: round(statistics.median(after[2].seconds.get(name, 0.0) for _, after in counted), 3)
            for name in stages
        },
    }


def _sizes(lake: Lake, features: Features) -> dict[str, int]:
    sizes = {}
    for name, table in {"feature_days": SILVER_FEATURE_DAYS, "gold_features": gold_features(features)}.items():
        uris = DeltaTable(lake.path(table)).file_uris()
        sizes[f"{name}_bytes"] = sum(Path(unquote(uri)).stat().st_size for uri in uris)
        sizes[f"{name}_rows"] = lake.read(table).count()
    return sizes


def _skew(lake: Lake, features: Features, entries: list[dict[str, Any]], days: int) -> dict[str, Any]:
    raw = DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_table(filters=[("is_bot", "=", False)])
    raw = raw.append_column("p_size", pa.nulls(raw.num_rows, pa.string()))
    raw = raw.append_column("p_rating", pa.nulls(raw.num_rows, pa.float64()))
    placed = DeltaTable(lake.path(SILVER_IDENTITY_MAP)).to_pyarrow_table(columns=["actor_id", "profile_id"]).to_pylist()
    members = [(row["actor_id"], row["profile_id"]) for row in placed]
    names = [entry["name"] for entry in entries]

    gold = DeltaTable(lake.path(gold_features(features))).to_pyarrow_table()
    at_their_time = [(row["profile_id"], row["as_of"]) for row in gold.select(["profile_id", "as_of"]).to_pylist()]
    found = oracle.differences(gold, oracle.brute_force(raw, members, at_their_time, entries), names)

    newest: datetime = max(raw["occurred_at"].to_pylist()).astimezone(UTC)
    past: list[date] = [(newest - timedelta(days=1 + 3 * n)).date() for n in range(days)]
    rows = feature_set(lake, features, past, purpose="analytics").toArrow()
    moments = [(row["profile_id"], row["as_of"]) for row in rows.select(["profile_id", "as_of"]).to_pylist()]
    found += oracle.differences(rows, oracle.brute_force(raw, members, moments, entries), names)
    for line in found[:10]:
        print(line, flush=True)
    compared = (gold.num_rows + rows.num_rows) * len(names)
    profiles = len({profile for _, profile in members})
    return {"differences": len(found) + abs(profiles - gold.num_rows), "values_compared": compared}


if __name__ == "__main__":
    run(main)

"""Declared features: what a micro-batch costs with none, some and many of them, and that gold equals brute force.

    ./spark-submit.sh tests/benchmarks/features.py [--events 30000] [--features 0 20 200] [--batch 1700] [--days 3]

For each number of features, drawn at random: a new lake, the events of the demo's shop through a broker, micro-batches of --batch events one after another.
The first third of them does not count. Then every row of gold.features, a training set for --days past days, and every document of the online store, read at
several later instants, is held to DuckDB over silver.events, and `rebuild --check` is run. At last one more feature is declared and filled for history, as
batch/fill_features.py does it, timed, and held to DuckDB, too. Exit 1 on a difference. CPU is of all processes.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
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
from lakehouse.feature_book.kept_features import keep, marked
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.online_values import OnlineFeatures
from lakehouse.features.windows import features_at
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_profile import PROFILE, OnlineProfile
from lakehouse.online.online_step import OnlineStep
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.features import gold_features
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.queries import bronze_events, events, unfinished
from lakehouse.queries.driver import start_all
from lakehouse.queries.feature_history import fill
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.feature_set import feature_set
from tests import feature_oracle as oracle
from tests.benchmarks.machine import cpu_seconds, machine

SEED = 17
LATER = (timedelta(0), timedelta(minutes=50), timedelta(days=1), timedelta(days=6))


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
            entries = oracle.online(oracle.random_declarations(SEED, count, own_properties=False))
            features = oracle.declared(Path(folder), entries) if entries else NO_FEATURES
            told = _cost(lake, features, arguments.events, arguments.batch)
            if entries:
                told |= _sizes(lake, features) | _skew(lake, features, entries, arguments.days)
                await_all(lake, [bronze_events.start(lake, available_now=True)])
                differences += told["differences"] + check(lake, features=features)
                filled = _filled(lake, Path(folder), entries)
                told |= filled
                differences += filled["fill_differences"]
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
        online = OnlineStep(lake, lambda: open_store(store_url(lake.config)))
        kept = MicroBatch(lake, Champions(lake.config), online=online, note=note, features=keep(lake, features))
        return events.start(lake, available_now=available_now, micro_batch=kept)

    await_all(lake, start_all(lake, [start], available_now=True))
    counted = list(pairwise(ends))[len(ends) // 3 :]
    stages = ("leaf", "silver", "rollup", "online", "gold", "windows")
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


def _sent(lake: Lake) -> tuple[pa.Table, list[tuple[str, str]]]:
    """The accepted events of people, and (actor_id, profile_id)."""
    raw = DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_table(filters=[("is_bot", "=", False)])
    raw = raw.append_column("p_size", pa.nulls(raw.num_rows, pa.string()))
    raw = raw.append_column("p_rating", pa.nulls(raw.num_rows, pa.float64()))
    placed = DeltaTable(lake.path(SILVER_IDENTITY_MAP)).to_pyarrow_table(columns=["actor_id", "profile_id"]).to_pylist()
    return raw, [(row["actor_id"], row["profile_id"]) for row in placed]


def _skew(lake: Lake, features: Features, entries: list[dict[str, Any]], days: int) -> dict[str, Any]:
    raw, members = _sent(lake)
    names = [entry["name"] for entry in entries]

    gold = DeltaTable(lake.path(gold_features(features))).to_pyarrow_table()
    at_their_time = [(row["profile_id"], row["as_of"]) for row in gold.select(["profile_id", "as_of"]).to_pylist()]
    found = oracle.differences(gold, oracle.brute_force(raw, members, at_their_time, entries), names)

    newest: datetime = max(raw["occurred_at"].to_pylist()).astimezone(UTC)
    past: list[date] = [(newest - timedelta(days=1 + 3 * n)).date() for n in range(days)]
    rows = feature_set(lake, features, past, purpose="analytics").toArrow()
    moments = [(row["profile_id"], row["as_of"]) for row in rows.select(["profile_id", "as_of"]).to_pylist()]
    found += oracle.differences(rows, oracle.brute_force(raw, members, moments, entries), names)
    online, read, size = _online_skew(lake, features, raw, members, newest, entries)
    found += online
    for line in found[:10]:
        print(line, flush=True)
    profiles = len({profile for _, profile in members})
    return {
        "differences": len(found) + abs(profiles - gold.num_rows),
        "values_compared": (gold.num_rows + rows.num_rows) * len(names),
        "online_values_compared": read,
        "online_features": len(features.online),
        "document_bytes": size,
        "profiles": profiles,
    }


def _online_skew(
    lake: Lake,
    features: Features,
    raw: pa.Table,
    members: list[tuple[str, str]],
    newest: datetime,
    entries: list[dict[str, Any]],
) -> tuple[list[str], int, int]:
    """What documents say otherwise than brute force at LATER instants; how many values were compared; the bytes of a document, median."""
    with closing(open_store(store_url(lake.config))) as store:
        stored = dict(store.scan(PROFILE))
    documents = {key.removeprefix(PROFILE): OnlineProfile.decode(data) for key, data in stored.items()}
    moments = [(profile, newest + later) for profile in documents for later in LATER]
    expected = oracle.brute_force(raw, members, moments, entries)
    told = ((moment, OnlineFeatures(features, documents[moment[0]].read_sums, moment[1])) for moment in moments)
    found = [
        f"online {moment}: {name}: got {value!r}, expected {expected[moment][name]!r}"
        for moment, values in told
        for name, value in values.items()
        if not oracle.are_same(value, expected[moment][name])
    ]
    return found, len(moments) * len(features.online), int(statistics.median(map(len, stored.values())))


def _filled(lake: Lake, folder: Path, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """One more feature filled for history, and held to DuckDB."""
    entry = {
        "name": "later",
        "description": "d",
        "aggregation": "sum",
        "value": "amount",
        "where": "amount > 3",
        "window": "lifetime",
    }
    reached = partial(unfinished.reached, lake, events.NAME, SILVER_FEATURE_DAYS)
    features = keep(lake, oracle.declared(folder, [*entries, entry]), reached=reached)
    began = time.perf_counter()
    said = list(fill(lake, features, (), "benchmark"))
    seconds = time.perf_counter() - began
    raw, members = _sent(lake)
    newest: datetime = max(raw["occurred_at"].to_pylist()).astimezone(UTC)
    moments = [(profile, newest) for profile in sorted({profile for _, profile in members})]
    when = lake.frame(
        pa.table(
            {
                "profile_id": [p for p, _ in moments],
                "as_of": pa.array([at for _, at in moments], pa.timestamp("us", "UTC")),
            }
        )
    )
    placed = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    rows = features_at(
        lake.read(SILVER_FEATURE_DAYS).join(placed, on="actor_id"), when, marked(lake, features)
    ).toArrow()
    found = oracle.differences(rows, oracle.brute_force(raw, members, moments, [entry]), ["later"])
    for line in found[:10]:
        print(f"filled {line}", flush=True)
    return {
        "fill_seconds": round(seconds, 1),
        "fill_records": said[-1].records if said else 0,
        "fill_differences": len(found),
    }


if __name__ == "__main__":
    run(main)

"""Audiences: members at every hour of a week held to DuckDB, and how soon the topic says who entered and left under an open-loop load.

    ./spark-submit.sh tests/benchmarks/audiences.py [--definitions 50] [--features 20] [--hours 168] [--rate 500] [--seconds 120] [--warm-up 40]

First a simulated week of people who browse, log in on several devices and come late: definitions and features drawn at random, an hour a micro-batch. After each
hour gold.audiences is held to DuckDB: features by brute force over the raw events, then each definition's own text. Exit 1 on a difference.
Then the shipped audiences under --rate records a second, none held back by a slow batch; --seconds 0 leaves this out. What the topic says of a profile counts from
the broker's time of the first of its records in the micro-batch that told, to the broker's time on the topic: at most as long as from the one that made the change.
"""

import argparse
import json
import random
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from kafka import KafkaConsumer

from lakehouse.audiences.kept_audiences import keep
from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.demo.freshness import end_offsets, produced
from lakehouse.demo.shop import Shop
from lakehouse.feature_book import kept_features
from lakehouse.features.definition import Features
from lakehouse.job import run
from lakehouse.kafka import clients
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import events
from lakehouse.spark.scratch import scratch_lake
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests import audience_oracle, feature_oracle
from tests.accepted import SCHEMA, event, once
from tests.benchmarks.freshness import SEED, load_queries, remember
from tests.benchmarks.machine import machine

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS_AN_HOUR = 24
PEOPLE = 70


class Clock:
    """Time passes between micro-batches, and hardly within one: so that closing windows need not rest."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="audiences")
    parser.add_argument("--definitions", type=int, default=50)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--hours", type=int, default=168)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--warm-up", type=int, default=40)
    parser.add_argument("--history", type=int, default=20_000)
    arguments = parser.parse_args(argv)
    result: dict[str, Any] = {
        "benchmark": "audiences",
        "definitions": arguments.definitions,
        "features": arguments.features,
    }
    with scratch_lake(load(), "audiences") as lake, tempfile.TemporaryDirectory() as folder:
        result |= _week(lake, Path(folder), arguments.definitions, arguments.features, arguments.hours)
        print(json.dumps(result), flush=True)
    if arguments.seconds:
        with scratch_lake(load(), "audiences") as lake:
            result |= _topic(lake, arguments.rate, arguments.seconds, arguments.warm_up, arguments.history)
    print(json.dumps(result | machine(lake.config)))
    return 1 if result["differences"] else 0


def _week(lake: Lake, folder: Path, definitions: int, count: int, hours: int) -> dict[str, Any]:
    lake.create_missing(TABLES.values())
    figures = feature_oracle.random_declarations(SEED, count, own_properties=False)
    features = kept_features.keep(lake, feature_oracle.declared(folder, figures))
    entries = audience_oracle.random_definitions(SEED, definitions, features)
    audiences = audience_oracle.declared(folder, entries, features).audiences
    clock = Clock()
    kept = keep(lake, audiences, features, clock())
    batch = MicroBatch(lake, Champions(lake.config), clock=clock, features=features, audiences=kept)
    chance, raw = random.Random(SEED), list[pa.Table]()
    told: dict[str, Any] = {
        "hours": 0,
        "memberships": 0,
        "entered": 0,
        "left": 0,
        "left_by_the_clock": 0,
        "differences": 0,
    }
    before: set[tuple[str, str]] = set()
    for hour in range(hours):
        rows = list(_hour(chance, hour))
        clock.now += timedelta(hours=1)
        new = lake.spark.createDataFrame([tuple(row.values()) for row in rows], f"{SCHEMA}, {feature_oracle.EXTRA}")
        batch(leaf(with_day(new), rates={}, features=features).toArrow(), once(hour))
        raw.append(new.toArrow())
        now = _members(lake)
        expected = _expected(lake, features, pa.concat_tables(raw), figures, entries)
        for pair in sorted(now ^ expected)[:5]:
            print(f"hour {hour}: {pair}: got {pair in now}, expected {pair in expected}", flush=True)
        told["differences"] += len(now ^ expected)
        told["hours"] += 1
        told["memberships"] += len(expected)
        told["entered"] += len(now - before)
        told["left"] += len(before - now)
        there = _profiles(lake, {row["actor_id"] for row in rows})
        told["left_by_the_clock"] += sum(1 for profile, _ in before - now if profile not in there)
        before = now
        if not told["hours"] % 24:
            print(json.dumps(told), flush=True)
    return told


def _hour(chance: random.Random, hour: int) -> Any:
    """Events of an hour: visitors on devices, some of whom log in; every tenth is up to two days late."""
    for number in range(EVENTS_AN_HOUR):
        at = START + timedelta(hours=hour, microseconds=chance.randrange(3_600_000_000))
        if chance.random() < 0.1:
            at -= timedelta(minutes=chance.randrange(48 * 60))
        person = chance.randrange(PEOPLE)
        who = {"anonymous_id": f"device-{person}-{chance.randrange(2)}"}
        who |= {"user_id": f"user-{person}"} if chance.random() < 0.1 else {}
        name = chance.choice(feature_oracle.NAMES)
        is_order = name.startswith("Order")
        own = {"order_id": f"o{hour}-{number}", "revenue": chance.randrange(0, 9000) / 100} if is_order else {}
        product = chance.choice((None, *(f"p{n}" for n in range(14))))
        row = event(f"m{hour}-{number}", at.strftime("%Y-%m-%d %H:%M:%S.%f"), name, product_id=product, **own, **who)
        extra = {
            "coupon": chance.choice((None, None, "spring", "vip")),
            "channel": chance.choice((None, "web", "store")),
        }
        yield row | extra | {"p_size": None, "p_rating": None}


def _members(lake: Lake) -> set[tuple[str, str]]:
    rows = (
        DeltaTable(lake.path(GOLD_AUDIENCES))
        .to_pyarrow_table(columns=["profile_id", "audience", "valid_to"])
        .to_pylist()
    )
    return {(row["profile_id"], row["audience"]) for row in rows if row["valid_to"] is None}


def _profiles(lake: Lake, actors: set[str]) -> set[str]:
    placed = lake.rows_with(SILVER_IDENTITY_MAP, "actor_id", actors, columns=["actor_id", "profile_id"])
    return set(placed["profile_id"].to_pylist())


def _expected(
    lake: Lake, features: Features, raw: pa.Table, figures: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> set[tuple[str, str]]:
    """Features by brute force, then the text of each definition."""
    activation = DeltaTable(lake.path(GOLD_ACTIVATION)).to_pyarrow_table()
    map_ = DeltaTable(lake.path(SILVER_IDENTITY_MAP)).to_pyarrow_table(columns=["actor_id", "profile_id"]).to_pylist()
    members = [(row["actor_id"], row["profile_id"]) for row in map_]
    newest = pc.max(raw["occurred_at"]).as_py().astimezone(UTC)
    moments = [(profile, newest) for profile in {profile for _, profile in members}]
    answers = feature_oracle.brute_force(raw, members, moments, figures)
    readable = {one.name: _TYPES[one.type] for one in features.features if one.type in _TYPES}
    rows = [{"profile_id": profile} | {name: own[name] for name in readable} for (profile, _), own in answers.items()]
    schema = pa.schema([("profile_id", pa.string()), *readable.items()])
    return audience_oracle.brute_force(activation, pa.Table.from_pylist(rows, schema), entries)


_TYPES = {"bigint": pa.float64(), "double": pa.float64(), "string": pa.string(), "timestamp": pa.timestamp("us", "UTC")}


def _topic(lake: Lake, rate: float, seconds: int, warm_up: int, history: int) -> dict[str, Any]:
    messages = Shop(history + int(rate * seconds), SEED).messages()
    remember(lake, islice(messages, history))
    counted_from = (datetime.now(UTC) + timedelta(seconds=warm_up)).timestamp() * 1000
    micro_batch = load_queries(lake, messages, rate)
    said = _said(lake)
    said = said[said["at_ms"] >= counted_from]
    done = sorted(
        (r.committed_at.timestamp() * 1000, r.batch_id) for r in micro_batch.records if r.committed_at and r.leaf_rows
    )
    places = np.searchsorted([end for end, _ in done], said["at_ms"].to_numpy())
    said = said.assign(batch_id=[done[n][1] if n < len(done) else -1 for n in places])
    waits = said.merge(_first_records(lake), on=["batch_id", "profile_id"])
    took = (waits["at_ms"] - waits["produced_ms"]) / 1000
    stages = [r.seconds.get("audiences", 0.0) for r in micro_batch.records if r.leaf_rows]
    return {
        "events_per_second": rate,
        "told": len(said),
        "counted": len(took),
        "topic_p50_seconds": round(float(took.quantile(0.5)), 2),
        "topic_p99_seconds": round(float(took.quantile(0.99)), 2),
        "telling_p50_seconds": round(float(np.median(stages)), 3),
        "repeats": int(len(said) - said["event_id"].nunique()),
    }


def _said(lake: Lake) -> pd.DataFrame:
    """[event_id, profile_id, at_ms] of every record of the topic, at the broker's time."""
    consumer = KafkaConsumer(
        lake.config.audiences.topic, **clients.python_consumer(lake.config.kafka), auto_offset_reset="earliest", consumer_timeout_ms=3000
    )  # fmt: skip
    with closing(consumer):
        told = [(orjson.loads(record.value), record.timestamp) for record in consumer]
    rows = [{"event_id": one["event_id"], "profile_id": one["profile_id"], "at_ms": at} for one, at in told]
    return pd.DataFrame(rows, columns=["event_id", "profile_id", "at_ms"])


def _first_records(lake: Lake) -> pd.DataFrame:
    """[batch_id, profile_id, produced_ms] of the first record of each profile in each micro-batch."""
    times = produced(lake).selectExpr("partition", "offset", "unix_millis(produced_at) AS produced_ms").toPandas()
    ends = end_offsets(lake.checkpoint(events.NAME), lake.config.kafka.events_topic)
    for partition in times["partition"].unique().tolist():
        rows = times[times["partition"] == partition]
        known = sorted((offsets[partition], batch_id) for batch_id, offsets in ends.items())
        places = np.searchsorted([end for end, _ in known], rows["offset"].to_numpy(), side="right")
        times.loc[rows.index, "batch_id"] = [known[n][1] if n < len(known) else -1 for n in places]
    placed = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    of = lake.read(SILVER_EVENTS).select("actor_id", "partition", "offset").join(placed, "actor_id").drop("actor_id")
    joined = times.merge(of.toPandas(), on=["partition", "offset"])
    return joined.groupby(["batch_id", "profile_id"], as_index=False)["produced_ms"].min()


if __name__ == "__main__":
    run(main)

"""What a micro-batch costs as the lake grows: CPU and seconds of micro-batches of the same size, over the same people, among ever more others.

    ./spark-submit.sh tests/benchmarks/growth.py [--events 100000] [--times 1 10 100] [--batch 1000] [--batches 12] [--most 1.3]

The lake begins with a simulated shop of --events, streamed, and champions trained on it. Then it is made --times as large by copies of everybody under other
ids: every table of profiles, identity and sessions holds so many times the rows, and who was there lies anywhere among them, in files as maintenance
leaves them. bronze.events and silver.events stay: to these a micro-batch appends. At each size --batches micro-batches bring --batch events each, of random people
of the shop, on a day of their own after its last. The first third does not count. There is no online store: it is asked by key. `growth` is the median of CPU seconds at the largest size over that at the smallest, all processes
together; exit 1 where it is more than --most.
"""

import argparse
import dataclasses
import json
import random
import statistics
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructType

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.events.contracts import ORDER_COMPLETED, PRODUCT_ADDED, PRODUCT_VIEWED
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import keep
from lakehouse.job import run
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.time_order import FILE_BYTES
from lakehouse.models.registry import Champions
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.features import gold_features
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.tables import GOLD, LEAF
from lakehouse.queries import events
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_HISTORY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
)
from tests.benchmarks.freshness import SEED, remember
from tests.benchmarks.machine import cpu_seconds, machine

IDS = {
    "actor_id", "profile_id", "component_id", "from_profile_id", "to_profile_id", "identifier_token", "order_id", "message_id",
    "visitor_id", "session_id", "change_id",
}  # fmt: skip
OTHER_BYTES = 2**25  # of a file of a table without a time, as maintenance makes them
IDENTITY = (SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_LOG, SILVER_IDENTITY_HISTORY)
_TIMES = ("originalTimestamp", "sentAt", "receivedAt")
_COUNTED = (PRODUCT_VIEWED.name, PRODUCT_ADDED.name, ORDER_COMPLETED.name)
Document = dict[str, Any]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="growth")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--most", type=float, default=1.3)
    arguments = parser.parse_args(argv)
    by_size: dict[int, dict[str, Any]] = {}
    with scratch_lake(load(), "growth") as lake:
        messages = list(Shop(arguments.events, SEED).messages())
        remember(lake, messages)
        known = [one for message in messages if (one := _document(message)) is not None]
        small = dataclasses.replace(lake.config.profiles, max_offsets_per_trigger=arguments.batch)
        lake = Lake(lake.spark, dataclasses.replace(lake.config, profiles=small))
        is_now = 1
        for day, times in enumerate(sorted(arguments.times), 1):
            if times > is_now:
                grow(lake, ceil(times / is_now), label=str(times))
            is_now = times
            produce(
                again(known, arguments.batch * arguments.batches, day),
                lake.config.kafka, lake.config.kafka.events_topic, on_progress=lambda n: None,
            )  # fmt: skip
            by_size[times] = {"events": times * arguments.events, **_sizes(lake), **_cost(lake)}
            print(json.dumps(by_size[times]), flush=True)
        facts = machine(lake.config)
    least, most = by_size[min(by_size)], by_size[max(by_size)]
    growth = round(most["cpu_seconds"] / least["cpu_seconds"], 2)
    print(
        json.dumps(
            {"benchmark": "growth", "growth": growth, "batch_events": arguments.batch, "by_size": by_size, **facts}
        )
    )
    return 1 if growth > arguments.most else 0


def grow(lake: Lake, times: int, *, label: str) -> None:
    """Copies of everybody, under ids that follow from theirs and the label."""
    features = gold_features(declared_features(lake.config))
    for table in (*IDENTITY, *LEAF, SILVER_SESSIONS, *GOLD, features):
        everybody = rows = lake.read(table)
        for number in range(1, times):
            everybody = everybody.unionByName(_renamed(rows, f"{label}-{number}"))
        stored = lake.spark.sql(f"DESCRIBE DETAIL delta.`{lake.path(table)}`").first()
        assert stored is not None
        by, size = (table.key[0], OTHER_BYTES) if table.time_column is None else (table.time_column, FILE_BYTES)
        files = max(1, ceil(stored["sizeInBytes"] * times / size))
        lake.overwrite(everybody.repartitionByRange(files, by).sortWithinPartitions(by), table)


def _renamed(rows: DataFrame, label: str) -> DataFrame:
    return rows.select(*(_copied(F.col(f.name), f.name, f.dataType, label).alias(f.name) for f in rows.schema.fields))


def _copied(value: Column, name: str, type_: DataType, label: str) -> Column:
    """The value, with another id in the place of each, however deep."""
    if isinstance(type_, StringType):
        return F.md5(F.concat(value, F.lit(label))) if name in IDS else value
    if isinstance(type_, ArrayType) and isinstance(type_.elementType, StructType):
        element = type_.elementType
        return F.transform(value, lambda one: _copied(one, name, element, label))
    if isinstance(type_, StructType):
        fields = [_copied(value[f.name], f.name, f.dataType, label).alias(f.name) for f in type_.fields]
        return F.when(value.isNotNull(), F.struct(*fields))
    return value


def again(known: list[Document], count: int, day: int) -> Iterator[Message]:
    """Events of random people of the shop, a second apart, so many days after the shop's last."""
    choose = random.Random(f"{SEED}:{day}")
    last = max(datetime.fromisoformat(one["receivedAt"]) for one in known)
    at = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day)
    for number in range(count):
        at += timedelta(seconds=1)
        event = choose.choice(known) | {"messageId": f"growth-{day}-{number}"} | dict.fromkeys(_TIMES, at.isoformat())
        if event["event"] == ORDER_COMPLETED.name:
            event["properties"] = event["properties"] | {"order_id": f"growth-{day}-{number}"}
        yield Message(event["messageId"].encode(), json.dumps(event).encode(), at)


def _document(message: Message) -> Document | None:
    """An event of a person that counts, and is not broken on purpose; None = another."""
    try:
        document = json.loads(message.value or b"")
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("event") not in _COUNTED:
        return None
    is_whole = all(str(document.get(name)).startswith("2026") for name in _TIMES)
    return document if is_whole and isinstance(document.get("properties"), dict) else None


def _cost(lake: Lake) -> dict[str, Any]:
    """Of the micro-batches that wait in the topic."""
    ends: list[tuple[float, float, BatchRecord]] = []

    def note(record: BatchRecord) -> None:
        ends.append((time.perf_counter(), cpu_seconds(), record))

    began = time.perf_counter()
    features = keep(lake, declared_features(lake.config))
    micro_batch = MicroBatch(lake, Champions(lake.config), note=note, features=features)
    await_all(lake, [events.start_with(micro_batch)(lake, available_now=True)])
    counted = list(pairwise(ends))[len(ends) // 3 :]
    stages = {name: [after[2].seconds.get(name, 0.0) for _, after in counted] for name in ends[-1][2].seconds}
    spent = sorted(after[1] - before[1] for before, after in counted)
    return {
        "micro_batches": len(counted),
        "cpu_seconds": round(statistics.median(spent), 3),
        "least_and_most_cpu_seconds": [round(spent[0], 3), round(spent[-1], 3)],
        "seconds": round(statistics.median(after[0] - before[0] for before, after in counted), 3),
        "stage_seconds": {name: round(statistics.median(seconds), 3) for name, seconds in stages.items()},
        "first_batch_after_seconds": round(ends[0][0] - began, 1),
    }


def _sizes(lake: Lake) -> dict[str, int]:
    told: tuple[Table, ...] = (TABLES["gold.activation"], *LEAF, TABLES["gold.product_affinity"])
    return {f"{table.name.split('.')[1]}_rows": lake.read(table).count() for table in told}


if __name__ == "__main__":
    run(main)

"""Micro-batches that bring new traits, with a matcher, on small and large lakes of described actors.

    ./spark-submit.sh tests/benchmarks/matching.py [--actors 5000 50000 200000] [--batches 9] [--batch 200]

Every old actor has a given name, a family name, a birthday and a city; one in twenty is another one, with a typing error. They
are written as tables and matched once, as when a model is new. Then come micro-batches of `--batch` new described actors: half of
them are people nobody knows, half are a random old one with a typing error in a name. The clock runs from the batch's leaf rows to
the last Delta commit and the index, by stage:

    traits    silver.personal_traits
    pairs     who is compared with whom, their evidence, silver.identity_review
    graph     edges, log, history, map
    blocks    silver.match_blocks

A third of the batches warms up and does not count. `growth` is the median on the largest lake over that on the smallest.
`changed_seconds` is a last batch in which as many random OLD actors move house: Delta then writes every file that holds one of
their rows anew, so on a large lake all of them.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse.job import run
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.transaction import Transaction
from lakehouse.matching.fields import fields
from lakehouse.profiles.silver import personal_traits
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.profiles.stitching import identity_tables, resolution
from lakehouse.profiles.stitching.graph_facts import GRAPH_COLUMNS, facts_of
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES
from tests.benchmarks.identity import START, Bundle, actor, build, scratch
from tests.benchmarks.machine import machine
from tests.lakehouse.matching.match_models import model_of

PIECE = 50_000  # actors written at a time
MODEL = model_of(
    fields({"first_name": "given_name", "last_name": "family_name", "birthday": "date", "city": "address"}),
    rules=[("names.sound", "2.year"), ("1.value", "2.day"), ("0.beginning", "2.value")],
)
STAGES = {
    "pairs": (resolution, "with_pairs"),
    "graph": (identity_tables, "write"),
    "blocks": (resolution, "write_blocks"),
}
SYLLABLES = [
    "ba",
    "co",
    "di",
    "fe",
    "gu",
    "ha",
    "jo",
    "ka",
    "lin",
    "mar",
    "nor",
    "pe",
    "ro",
    "sen",
    "ta",
    "vin",
    "wel",
    "zo",
]
SCHEMA = (
    "actor_id string, identifiers array<struct<type:string,token:string>>, first_at timestamp, "
    "traits array<struct<occurred_at:timestamp,traits:map<string,string>,source:string>>"
)
Traits = dict[str, str]


def bundle(number: int) -> Bundle:
    return [("anonymous_id", f"cookie-{number}")]


def person(number: int) -> Traits:
    """Of the actor so numbered, always the same."""
    chance = random.Random(number)
    if number % 20 == 19:
        return mistyped(person(number - 10), chance)
    born = datetime(1940, 1, 1) + timedelta(days=chance.randrange(25_000))
    names = ["".join(chance.choices(SYLLABLES, k=count)) for count in (2, 3, 2)]
    return dict(zip(["first_name", "last_name", "city"], names, strict=True), birthday=f"{born:%Y-%m-%d}")


def mistyped(traits: Traits, chance: random.Random) -> Traits:
    place, name = chance.randrange(1, 4), traits["first_name"]
    return traits | {"first_name": name[:place] + chance.choice("xyq") + name[place + 1 :]}


def seen(number: int) -> datetime:
    return START + timedelta(seconds=number)


def build_described(lake: Lake, count: int) -> None:
    """The identity tables and the traits of `count` old actors, as a stream leaves them."""
    build(lake, count, bundle)
    for first in range(0, count, PIECE):
        rows = [
            (actor(number), trait, value, np.datetime64(seen(number), "us"))
            for number in range(first, min(first + PIECE, count))
            for trait, value in person(number).items()
        ]
        frame = pd.DataFrame(rows, columns=["actor_id", "trait", "value", "seen_at"]).assign(source=None)
        lake.add(arrow(frame, SILVER_PERSONAL_TRAITS), SILVER_PERSONAL_TRAITS)


def leaves(lake: Lake, described: Mapping[int, Traits], at: datetime) -> DataFrame:
    """As far as the identity step reads them; in memory."""
    rows = [
        (actor(number), bundle(number), at.replace(tzinfo=UTC), [(at.replace(tzinfo=UTC), traits, None)])
        for number, traits in described.items()
    ]
    frame = lake.spark.createDataFrame(rows, SCHEMA).coalesce(1).persist()
    frame.count()
    return frame


@contextmanager
def stopwatch(seconds: dict[str, float]) -> Iterator[None]:
    """Adds up what the stages of the identity step take."""

    def timed(name: str, call: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **named)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started

        return wrapped

    with ExitStack() as until_done:
        for name, (module, function) in STAGES.items():
            until_done.enter_context(mock.patch.object(module, function, timed(name, getattr(module, function))))
        yield


def one_batch(
    lake: Lake, step: IdentityStep, described: Mapping[int, Traits], batch_id: int, at: datetime
) -> dict[str, float]:
    """Seconds by stage, and of all."""
    batch, seconds = leaves(lake, described, at), {}
    started = time.perf_counter()
    with stopwatch(seconds):
        personal_traits.merge(lake, batch, Transaction(application="benchmark", batch_id=0))
        seconds["traits"] = time.perf_counter() - started
        step.resolve_batch(
            facts_of(batch.select(*GRAPH_COLUMNS).toArrow()),
            batch_id=batch_id,
            now=(START + timedelta(days=100, seconds=batch_id)).replace(tzinfo=UTC),
            matcher=MODEL,
            described=[actor(number) for number in described],
        )
    seconds["total"] = time.perf_counter() - started
    batch.unpersist()
    return seconds


def micro_batches(lake: Lake, count: int, batches: int, size: int) -> dict[str, Any]:
    """Seconds of micro-batches into a lake of so many described actors."""
    build_described(lake, count)
    step, chance = IdentityStep(lake), random.Random(count)
    started = time.perf_counter()
    step.resolve_batch(facts_of(None), batch_id=-1, now=START.replace(tzinfo=UTC), matcher=MODEL)
    everybody = time.perf_counter() - started
    took = []
    for batch_id in range(batches):
        first = count + batch_id * size
        new = {
            n: mistyped(person(chance.randrange(count)), chance) if n % 2 else person(-n)
            for n in range(first, first + size)
        }
        took.append(one_batch(lake, step, new, batch_id, seen(first)))
    moved = {number: person(number) | {"city": "elsewhere"} for number in chance.sample(range(count), size)}
    changed = one_batch(lake, step, moved, batches, seen(count + batches * size))
    counted = took[batches // 3 :]
    median = {name: round(statistics.median(one[name] for one in counted), 3) for name in ("total", "traits", *STAGES)}
    slowest = max(one["total"] for one in counted)
    print(
        f"{count:>9,} described actors: {median}, slowest {slowest:.3f} s, changed {changed['total']:.3f} s", flush=True
    )
    return {
        "seconds": median,
        "slowest_seconds": round(slowest, 3),
        "changed_seconds": round(changed["total"], 3),
        "everybody_seconds": round(everybody, 1),
        "pairs_found": _matches(lake, count),
    }


def _matches(lake: Lake, count: int) -> int:
    """Likely pairs with a new actor: what the batches were for."""
    edges = identity_tables.all_rows(lake, SILVER_IDENTITY_EDGES)
    new = edges[(edges["identifier_type"] == "match") & (edges["first_seen_at"] >= np.datetime64(seen(count), "us"))]
    return int(new["identifier_token"].nunique())


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="matching")
    parser.add_argument("--actors", type=int, nargs="+", default=[5_000, 50_000, 200_000])
    parser.add_argument("--batches", type=int, default=9)
    parser.add_argument("--batch", type=int, default=200)
    arguments = parser.parse_args(argv)
    by_size = {}
    for count in arguments.actors:
        with scratch("matching") as lake:
            by_size[count] = micro_batches(lake, count, arguments.batches, arguments.batch)
    totals = {count: result["seconds"]["total"] for count, result in by_size.items()}
    result = {
        "benchmark": "matching",
        "growth": {str(count): round(total / totals[min(totals)], 2) for count, total in totals.items()},
        "micro_batch_seconds": {str(count): total for count, total in totals.items()},
        "changed_seconds": {str(count): result["changed_seconds"] for count, result in by_size.items()},
        "by_actors": {str(count): result for count, result in by_size.items()},
        "batches": arguments.batches,
        "batch_actors": arguments.batch,
        **machine(lake.config),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

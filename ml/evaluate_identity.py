"""How well Stitchlake finds the people in a file of person records: any CSV or Parquet, no labels needed to match.

./spark-submit.sh ml/evaluate_identity.py --data people.csv --id record_id --truth person

Every record is sent as an identify event through Kafka into a lake of its own, the matcher is trained on what arrived,
and the stream matches. Prints accuracy against --truth, and one JSON line last.
"""

import argparse
import csv
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.matching.accuracy import b_cubed, largest, pairwise
from lakehouse.matching.person_file import PersonRecords, anonymous_id, messages, read_people
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from lakehouse.training import identity


class Stopwatch:
    """Seconds per stage, printed as they pass."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 1)
        print(f"{name:<10} {self.seconds[name]:>7.1f} s", flush=True)


def match(lake: Lake, people: PersonRecords, watch: Stopwatch) -> tuple[dict[str, str], str]:
    """Record id -> profile id: the records through the stream, the matcher trained on them, the stream once more.

    And why there is no matcher; empty where there is one.

    A record that the contract refuses is a profile of its own, as in the product: it never reaches the graph.
    """
    kafka = lake.config.kafka
    with watch.stage("send"):
        produce(messages(people), kafka, kafka.events_topic, on_progress=lambda _: None)
    with watch.stage("stream"):
        _drain(lake)
    with watch.stage("train"):
        refusal = _train(lake)
    with watch.stage("match"):
        if not refusal:
            _drain(lake)
    with watch.stage("read"):
        return _profiles(lake, people), refusal


def _train(lake: Lake) -> str:
    """Why there is no matcher; without one the records are joined by their identifiers alone, as in the product."""
    try:
        print(identity.train(lake).table())
    except ModelError as error:
        print(f"no matcher: {error}")
        return str(error)
    return ""


def _drain(lake: Lake) -> None:
    starts = [events.start, bronze_events.start]
    await_all(lake, start_all(lake, starts, available_now=True))


def _profiles(lake: Lake, people: PersonRecords) -> dict[str, str]:
    own = pa.table({"record_id": people.ids, "identifier_token": [anonymous_id(record_id) for record_id in people.ids]})
    carried = lake.read(SILVER_IDENTITY_EDGES).where(F.col("identifier_type") == "anonymous_id")
    found = (
        lake.frame(own)
        .join(carried, on="identifier_token")
        .join(lake.read(SILVER_IDENTITY_MAP), on="actor_id")
        .select("record_id", "profile_id")
        .toArrow()
    )
    placed = dict(zip(found["record_id"].to_pylist(), found["profile_id"].to_pylist(), strict=True))
    return {record_id: placed.get(record_id, f"alone:{record_id}") for record_id in people.ids}


def report(people: PersonRecords, profile_of: dict[str, str]) -> dict[str, Any]:
    """Sizes, and accuracy where the truth is known."""
    found = [profile_of[record_id] for record_id in people.ids]
    facts: dict[str, Any] = {"records": len(found), "profiles": len(set(found)), "largest_cluster": largest(found)}
    if people.truth is None:
        return facts
    pairs, cubed = pairwise(found, people.truth), b_cubed(found, people.truth)
    return facts | {
        "people": len(set(people.truth)),
        "largest_person": largest(people.truth),
        "pair_precision": round(pairs.precision, 4),
        "pair_recall": round(pairs.recall, 4),
        "pair_f1": round(pairs.f1, 4),
        "b_cubed_precision": round(cubed.precision, 4),
        "b_cubed_recall": round(cubed.recall, 4),
        "b_cubed_f1": round(cubed.f1, 4),
    }


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="evaluate_identity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="FILE", help="CSV or Parquet")
    parser.add_argument("--id", required=True, metavar="COLUMN", help="column of the record's id")
    parser.add_argument(
        "--truth", metavar="COLUMN[=REGEX]", help="column of the person, or where in a column it stands"
    )
    parser.add_argument(
        "--map",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN=TRAIT[:KIND]",
        help="columns to compare; without it every other column is a trait of its own name, its kind guessed",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="CSV of record id and profile id")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = arguments(argv)
    people = read_people(options.data, options.id, options.truth, options.map)
    print("compared: " + ", ".join(f"{trait} as {kind}" for trait, kind in people.kinds.items()), flush=True)
    started, watch, config = time.perf_counter(), Stopwatch(), load()
    config = dataclasses.replace(config, matching=dataclasses.replace(config.matching, traits=people.kinds))
    with ExitStack() as until_read:
        with watch.stage("begin"):
            lake = until_read.enter_context(scratch_lake(config, "evaluate-identity"))
        profile_of, refusal = match(lake, people, watch)
        refused = lake.read(SILVER_EVENTS_QUARANTINE).count()
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([options.id, "profile_id"])
            rows.writerows((record_id, profile_of[record_id]) for record_id in people.ids)
    seconds = round(time.perf_counter() - started, 1)
    facts = {"command": "evaluate_identity", **report(people, profile_of), "quarantined": refused, "seconds": seconds}
    if refusal:
        facts["no_matcher"] = refusal
    print(json.dumps(facts | {"seconds_by_stage": watch.seconds}))
    return 0


if __name__ == "__main__":
    run(main)

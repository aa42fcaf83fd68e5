"""How much faster delta-rs merges a micro-batch's rows into a table on this machine than Spark does.

    ./spark-submit.sh tests/benchmarks/upsert.py [--stored 28000] [--new 1500] [--rounds 15]

Both writers of `Lake.upsert` merge the same rows, a third of them new, into tables of their own, in turns. The first half
of the rounds warms the JVM up and does not count.
"""

import argparse
import dataclasses
import json
import statistics
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake, arrow, differs
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.spark.scratch import scratch_lake
from tests.benchmarks.machine import machine

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC).replace(tzinfo=None)
CHANGED = differs(name for name in SILVER_ACTIVITY_DAILY.column_names if name not in SILVER_ACTIVITY_DAILY.key)


def activity(first: int, count: int, events: int) -> pd.DataFrame:
    """Rows of silver.activity_daily: actors number `first` and on, each with so many events."""
    actors = [f"{number:032x}" for number in range(first, first + count)]
    counts = dict.fromkeys(("event_count", "view_count", "cart_count", "order_count"), events)
    same = {"activity_date": date(2026, 1, 31), "user_id": None, **counts, "revenue": Decimal("1.00")}
    return pd.DataFrame({"actor_id": actors}).assign(**same, first_at=NOON, last_at=NOON, consent=None, products=None)


def beside(lake: Lake) -> Lake:
    """A second lake inside the folder of the first."""
    settings = dataclasses.replace(lake.config.lake, root=f"{lake.root}/beside")
    return Lake(lake.spark, dataclasses.replace(lake.config, lake=settings))


def seconds(lake: Lake, rows: pd.DataFrame) -> float:
    started = time.perf_counter()
    lake.upsert(arrow(rows, SILVER_ACTIVITY_DAILY), SILVER_ACTIVITY_DAILY, update_when=CHANGED)
    return time.perf_counter() - started


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="upsert")
    parser.add_argument("--stored", type=int, default=28_000)
    parser.add_argument("--new", type=int, default=1_500)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args(argv)
    took: dict[bool, list[float]] = {True: [], False: []}
    with scratch_lake(load(), "upsert") as by_delta_rs:
        by_spark = beside(by_delta_rs)
        by_spark.uses_delta_rs = False
        for lake in (by_delta_rs, by_spark):
            lake.create(SILVER_ACTIVITY_DAILY)
            lake.overwrite(
                lake.frame(arrow(activity(0, arguments.stored, 1), SILVER_ACTIVITY_DAILY)), SILVER_ACTIVITY_DAILY
            )
        for number in range(arguments.rounds):
            first = arguments.stored + number * (arguments.new // 3) - (arguments.new - arguments.new // 3)
            rows = activity(first, arguments.new, number + 2)
            for lake in (by_delta_rs, by_spark):
                took[lake.uses_delta_rs].append(seconds(lake, rows))
        assert by_delta_rs.read(SILVER_ACTIVITY_DAILY).count() == by_spark.read(SILVER_ACTIVITY_DAILY).count()
        delta_rs, spark = (statistics.median(took[by][arguments.rounds // 2 :]) for by in (True, False))
        result = {
            "benchmark": "upsert",
            "spark_over_delta_rs": round(spark / delta_rs, 1),
            "delta_rs_seconds": round(delta_rs, 3),
            "spark_seconds": round(spark, 3),
            **vars(arguments),
            **machine(by_spark.config),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

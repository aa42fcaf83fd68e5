"""gold.rfm made again from silver.events and silver.identity_map, against DuckDB over the same Parquet files.

    ./spark-submit.sh tests/benchmarks/rfm_rebuild.py [--events 10000000] [--turns 5] [--most 2.0]

The events are of --events / 10 people with two actors each, on 365 days. Of a hundred, three complete an order; of a hundred orders five are refunded in part, two updated to another
amount, two cancelled. Ours are the transforms that a rebuild runs, leaf rows and orders among them, written as Parquet; DuckDB's is one statement that says the same of such
orders, and must give the same rows. In turns, after one of each that does not count. `share` is the median of ours over that of DuckDB; exit 1 where it is more than --most, or a row differs.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.job import run
from lakehouse.lake.delta import Lake, conform
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold import rfm
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.silver import orders
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests.benchmarks.identity import scratch
from tests.benchmarks.machine import cpu_seconds, machine

EVENTS_OF_A_PERSON = 10
_DUCKDB = """
    COPY (
        WITH told AS (
            SELECT order_id, event, actor_id, occurred_at, message_id, revenue
            FROM read_parquet({events}) WHERE NOT is_bot AND type = 'track' AND event IN ('Order Completed', 'Order Updated', 'Order Cancelled', 'Order Refunded')
        ), orders AS (
            SELECT
                min_by(actor_id, (occurred_at, message_id)) FILTER (event = 'Order Completed') AS actor_id,
                min(occurred_at) FILTER (event = 'Order Completed') AS ordered_at,
                max_by(event, (occurred_at, message_id)) FILTER (event <> 'Order Refunded') AS latest,
                greatest(
                    coalesce(max_by(revenue, (occurred_at, message_id)) FILTER (event IN ('Order Completed', 'Order Updated') AND revenue IS NOT NULL), 0)
                        - coalesce(sum(revenue) FILTER (event = 'Order Refunded'), 0), 0
                ) AS revenue
            FROM told GROUP BY order_id
        )
        SELECT profile_id, min(ordered_at) AS first_order_at, max(ordered_at) AS last_order_at, count(*) AS frequency, sum(revenue)::DECIMAL(18, 2) AS monetary
        FROM orders JOIN read_parquet({map}) USING (actor_id)
        WHERE ordered_at IS NOT NULL AND latest <> 'Order Cancelled' GROUP BY profile_id
    ) TO '{to}' (FORMAT parquet)
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="rfm_rebuild")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--most", type=float, default=2.0)
    arguments = parser.parse_args(argv)
    with scratch("rfm_rebuild") as lake:
        fill(lake, arguments.events)
        seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "duckdb": []}
        for turn in range(arguments.turns + 1):
            for name, make in (("ours", ours), ("duckdb", by_duckdb)):
                began, spent = time.perf_counter(), cpu_seconds()
                make(lake, Path(lake.root).parent / name)
                took = time.perf_counter() - began, cpu_seconds() - spent
                print(f"{name} {turn}: {took[0]:.2f} s, {took[1]:.2f} CPU-seconds", flush=True)
                if turn:
                    seconds[name].append(took)
        differing, profiles = differences(Path(lake.root).parent)
        medians = {
            name: [round(statistics.median(one), 2) for one in zip(*told, strict=True)]
            for name, told in seconds.items()
        }
        result = {
            "benchmark": "rfm_rebuild",
            "events": arguments.events,
            "profiles": profiles,
            "differences": differing,
            "share": round(medians["ours"][0] / medians["duckdb"][0], 2),
            "cpu_share": round(medians["ours"][1] / medians["duckdb"][1], 2),
            "seconds_and_cpu_seconds": medians,
            **machine(lake.config),
        }
    print(json.dumps(result))
    return 1 if differing or result["share"] > arguments.most else 0


def fill(lake: Lake, count: int) -> None:
    """silver.events and silver.identity_map, in files as streams and maintenance leave them."""
    number = F.col("id")
    person = F.pmod(F.xxhash64(number, F.lit("who")), F.lit(max(1, count // EVENTS_OF_A_PERSON)))
    order = F.pmod(number, F.lit(100)).cast("int")
    # Of each hundred events three are orders; what is said later of one of these is among the same hundred.
    told = F.pmod(F.floor(number / 100), F.lit(100)).cast("int")
    kind = (
        F.when(order < 3, "Order Completed").when((order == 3) & (told < 15), "Order Refunded")
        .when((order == 4) & (told < 6), "Order Updated").when((order == 5) & (told < 6), "Order Cancelled").otherwise("Product Viewed")
    )  # fmt: skip
    is_order = kind != "Product Viewed"
    hundred = F.floor(number / 100)
    of_order = F.when(order < 3, F.concat_ws("-", F.lit("o"), hundred, order)).otherwise(
        F.concat_ws("-", F.lit("o"), hundred, F.pmod(hundred, F.lit(3)))
    )
    seen = F.timestamp_seconds(
        F.lit(1_767_225_600) + F.pmod(F.xxhash64(hundred), F.lit(364 * 86_400)) + F.pmod(number, F.lit(100)) * 60
    )
    events = lake.spark.range(count).select(
        F.md5(number.cast("string")).alias("message_id"),
        F.md5(F.concat_ws("/", person, F.pmod(number, F.lit(2)))).alias("actor_id"),
        F.lit("track").alias("type"),
        kind.alias("event"),
        seen.alias("occurred_at"),
        seen.alias("received_at"),
        F.when(is_order, of_order).alias("order_id"),
        F.when(~is_order, F.concat(F.lit("p"), F.pmod(number, F.lit(500)))).alias("product_id"),
        F.when(is_order, F.when(order < 3, F.pmod(F.xxhash64(number), F.lit(20_000)) / 100 + 5).otherwise(3.5))
        .cast("decimal(18,2)")
        .alias("revenue"),
        F.when(is_order, F.lit("USD")).alias("currency"),
        F.array(F.struct(F.lit("anonymous_id").alias("type"), person.cast("string").alias("token"))).alias(
            "identifiers"
        ),
        F.lit(False).alias("is_bot"),
        F.lit(False).alias("is_clamped"),
        F.xxhash64(number).alias("content_hash"),
    )
    _write(lake, events, SILVER_EVENTS)
    people = lake.spark.range(max(1, count // EVENTS_OF_A_PERSON))
    actors = people.select(F.col("id").alias("person"), F.explode(F.array(F.lit(0), F.lit(1))).alias("which"))
    actor, profile = (F.md5(F.concat_ws("/", "person", which)) for which in (F.col("which"), F.lit(0)))
    began = F.timestamp_seconds(F.lit(1_767_225_600))
    placed = actors.select(
        actor.alias("actor_id"),
        profile.alias("profile_id"),
        profile.alias("component_id"),
        began.alias("first_seen_at"),
        began.alias("resolved_at"),
    )
    _write(lake, placed, SILVER_IDENTITY_MAP)


def _write(lake: Lake, rows: DataFrame, table: Table) -> None:
    lake.create(table)
    lacking = {column.name: column for column in table.columns if column.name not in rows.columns}
    zeros = {name: F.lit(None if one.nullable else 0).cast(one.type) for name, one in lacking.items()}
    lake.overwrite(conform(rows.withColumns(zeros), table), table)


def ours(lake: Lake, to: Path) -> None:
    events = with_day(lake.read(SILVER_EVENTS).where(~F.col("is_bot")).select(*EVENT_COLUMNS))
    nothing = {"traits": F.lit(None).cast("map<string,string>"), "source": F.lit(None).cast("string")}
    told = orders.transform(leaf(events.withColumns(nothing), rates=lake.config.money.rates))
    rows = rfm.transform(lake.read(SILVER_IDENTITY_MAP), told, champions=Champions(lake.config))
    rows.write.mode("overwrite").parquet(str(to))


def by_duckdb(lake: Lake, to: Path) -> None:
    files = {"events": SILVER_EVENTS, "map": SILVER_IDENTITY_MAP}
    named = {
        name: json.dumps([unquote(uri) for uri in DeltaTable(lake.path(table)).file_uris()]).replace('"', "'")
        for name, table in files.items()
    }
    duckdb.connect().execute(_DUCKDB.format(to=to, **named))


def differences(folder: Path) -> tuple[int, int]:
    """Rows that one has and the other has not, and how many profiles there are."""
    columns = "profile_id, first_order_at::TIMESTAMPTZ, last_order_at::TIMESTAMPTZ, frequency, monetary"
    here, there = (
        f"SELECT {columns} FROM read_parquet('{path}')" for path in (f"{folder}/ours/*.parquet", f"{folder}/duckdb")
    )
    both = f"(({here} EXCEPT {there}) UNION ALL ({there} EXCEPT {here}))"
    counted = (
        duckdb.connect().execute(f"SELECT (SELECT count(*) FROM {both}), (SELECT count(*) FROM ({there}))").fetchone()
    )
    assert counted is not None
    return int(counted[0]), int(counted[1])


if __name__ == "__main__":
    run(main)

"""History by batch/import_records.py: events per second, as a share of what DuckDB takes to read and write the same file; killed three times, nothing twice.

    ./spark-submit.sh tests/benchmarks/history.py [--events 1000000] [--to-gold]

Every import is a process of its own, as somebody would start it. It is killed by SIGKILL when a quarter, a half and three quarters of the
records are in the topic, and begun again; one more import then finds nothing to send. `--to-gold`: the streams take in what came, too.
Exit 1 when a record is missing, or there twice.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import orjson
from kafka import KafkaConsumer, TopicPartition

from lakehouse.config import PROJECT, Config, load
from lakehouse.job import run
from lakehouse.kafka import clients
from lakehouse.kafka.unread import unread
from lakehouse.lake.delta import Lake
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import drain
from lakehouse.spark.scratch import scratch_config
from lakehouse.spark.session import get_session
from lakehouse.tables.events import SILVER_EVENTS
from tests.benchmarks.machine import machine

KILLED_AT = (0.25, 0.5, 0.75)
# Three years of a shop: a thirtieth of what happens are orders; visitors come back. Every row is another one.
MADE = """
SELECT CASE WHEN n % 30 = 0 THEN 'purchase' WHEN n % 5 = 0 THEN 'add_to_cart' ELSE 'view_item' END AS event,
  'c-' || hash(n // 7) % {people} AS customer_id,
  TIMESTAMP '2023-01-01 00:00:00' + INTERVAL (n * 94608000 // {events}) SECOND AS timestamp,
  'p-' || hash(n) % 5000 AS product_id, (hash(n) % 20000) / 100 AS price, 'EUR' AS currency,
  CASE WHEN n % 30 = 0 THEN 'o-' || n END AS order_id
FROM range({events}) made(n)
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="history")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--to-gold", action="store_true")
    arguments = parser.parse_args(argv)
    count: int = arguments.events
    with scratch_config(load(), "history") as config:
        folder = Path(config.lake.root).parent
        path = folder / "history.parquet"
        duckdb.sql(f"COPY ({MADE.format(events=count, people=count // 40 + 1)}) TO '{path}' (FORMAT parquet)")
        duck = _by_duckdb(path, folder / "copy.parquet")
        seconds = [_import(config, path, until=round(count * share)) for share in KILLED_AT]
        seconds.append(_import(config, path))
        again = time.perf_counter()
        last = _finished(_start(config, path))
        again = time.perf_counter() - again
        ids = [orjson.loads(value)["messageId"] for value in unread(config.kafka, config.kafka.events_topic, {})]
        is_whole = len(ids) == len(set(ids)) == count and last["sent"] == 0
        result: dict[str, Any] = {
            "benchmark": "history",
            "events": count,
            "is_whole": is_whole,
            "in_topic": len(ids),
            "twice": len(ids) - len(set(ids)),
            "seconds": [round(each, 1) for each in seconds],
            "events_per_second": round(count / sum(seconds)),
            "duckdb_seconds": round(duck, 2),
            "share_of_duckdb": round(duck / sum(seconds), 4),
            "import_again_seconds": round(again, 1),
        }
        if arguments.to_gold:
            result |= _to_gold(config, count)
            is_whole = is_whole and result["in_silver"] == count
        print(json.dumps(result | machine(config)))
    return 0 if is_whole else 1


def _by_duckdb(path: Path, copy: Path) -> float:
    """Seconds to read the file and write it as the same."""
    started = time.perf_counter()
    duckdb.sql(f"COPY (SELECT * FROM '{path}') TO '{copy}' (FORMAT parquet)")
    return time.perf_counter() - started


def _start(config: Config, path: Path) -> "subprocess.Popen[str]":
    environ = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
    }
    command = [sys.executable, str(PROJECT / "batch" / "import_records.py"), str(path), "--source", "simple-events"]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _import(config: Config, path: Path, until: int | None = None) -> float:
    """Seconds of one import, its start among them. `until`: records in the topic at which it is killed; None = it ends by itself."""
    started = time.perf_counter()
    process = _start(config, path)
    if until is None:
        print(json.dumps(_finished(process)), flush=True)
    else:
        while process.poll() is None and _in_topic(config) < until:
            time.sleep(0.2)
        process.kill()
        process.wait()
        print(f"killed at {_in_topic(config):,} records", flush=True)
    return time.perf_counter() - started


def _finished(process: "subprocess.Popen[str]") -> dict[str, Any]:
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return told


def _in_topic(config: Config) -> int:
    consumer = KafkaConsumer(**clients.python_consumer(config.kafka))
    partitions = [TopicPartition(config.kafka.events_topic, number) for number in range(config.kafka.partitions)]
    ends = consumer.end_offsets(partitions)
    consumer.close()
    return sum(ends.values())


def _to_gold(config: Config, count: int) -> dict[str, Any]:
    started = time.perf_counter()
    lake = Lake(get_session(config, "history"), config)
    drain(lake, [events.start_with(events.new_micro_batch(lake)), bronze_events.start])
    seconds = time.perf_counter() - started
    silver = lake.read(SILVER_EVENTS).count()
    return {"in_silver": silver, "gold_seconds": round(seconds, 1), "gold_events_per_second": round(count / seconds)}


if __name__ == "__main__":
    run(main)

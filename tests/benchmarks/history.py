"""History by batch/import_records.py: events per second, as a share of what DuckDB takes to read and write the same file; killed three times, nothing twice.

    ./spark-submit.sh tests/benchmarks/history.py [--events 1000000] [--kills 3] [--format parquet] [--no-again] [--to-gold]

Every import is a process of its own, as somebody would start it. It is killed by SIGKILL when a quarter, a half and three quarters of the
records are in the topic, and begun again; one more import then finds nothing to send. `--kills 0`: of the import alone; then its CPU is told, too, that of
all its processes and of the broker, which outlives a killed import and so could not be told. `--to-gold`: the streams take in what came, too.
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
import numpy as np
import orjson

from lakehouse.config import PROJECT, Config, load
from lakehouse.job import run
from lakehouse.kafka import admin
from lakehouse.kafka.topics import Topics
from lakehouse.kafka.unread import unread
from lakehouse.lake.delta import Lake
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import drain
from lakehouse.sources.digests import digest
from lakehouse.spark.scratch import scratch_config
from lakehouse.spark.session import get_session
from lakehouse.tables.events import SILVER_EVENTS
from tests.benchmarks.machine import cpu_by_program, machine

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
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--format", choices=("parquet", "csv", "json"), default="parquet")
    parser.add_argument("--no-again", action="store_true")
    parser.add_argument("--to-gold", action="store_true")
    arguments = parser.parse_args(argv)
    count: int = arguments.events
    with scratch_config(load(), "history") as config:
        folder = Path(config.lake.root).parent
        path = made_file(folder, count, arguments.format)
        duck = _by_duckdb(path, folder / f"copy.{arguments.format}", arguments.format)
        spent = cpu_by_program()
        parts = arguments.kills + 1
        seconds = [_import(config, path, until=round(count * part / parts)) for part in range(1, parts)]
        seconds.append(_import(config, path))
        spent = {name: now - spent.get(name, 0.0) for name, now in cpu_by_program().items()}
        result: dict[str, Any] = {
            "benchmark": "history",
            "events": count,
            "format": arguments.format,
            "seconds": [round(each, 1) for each in seconds],
            "events_per_second": round(count / sum(seconds)),
            "cpu_us_per_event": {
                name: round(1e6 * each / count, 1) for name, each in spent.items() if not arguments.kills
            },
            "duckdb_seconds": round(duck, 2),
            "share_of_duckdb": round(duck / sum(seconds), 4),
        }
        is_whole = True
        if not arguments.no_again:
            again = time.perf_counter()
            is_whole = _finished(start_import(config, path))["sent"] == 0
            result["import_again_seconds"] = round(time.perf_counter() - again, 1)
        twice, in_topic = _twice(config)
        is_whole = is_whole and twice == 0 and in_topic == count
        result |= {"is_whole": is_whole, "in_topic": in_topic, "twice": twice}
        if arguments.to_gold:
            result |= _to_gold(config, count)
            is_whole = is_whole and result["in_silver"] == count
        print(json.dumps(result | machine(config)))
    return 0 if is_whole else 1


def made_file(folder: Path, count: int, format_: str) -> Path:
    path = folder / f"history.{format_}"
    duckdb.sql(f"COPY ({MADE.format(events=count, people=count // 40 + 1)}) TO '{path}' (FORMAT {format_})")
    return path


def _by_duckdb(path: Path, copy: Path, format_: str) -> float:
    """Seconds to read the file and write it as the same."""
    started = time.perf_counter()
    duckdb.sql(f"COPY (SELECT * FROM '{path}') TO '{copy}' (FORMAT {format_})")
    return time.perf_counter() - started


def start_import(config: Config, path: Path) -> "subprocess.Popen[str]":
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
    process = start_import(config, path)
    if until is None:
        print(json.dumps(_finished(process)), flush=True)
    else:
        while process.poll() is None and _in_topic(config) < until:
            time.sleep(0.5)
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
    topics = Topics((config.kafka.events_topic,))
    return sum(sum(ends.values()) for ends in admin.end_offsets(config.kafka, topics).values())


def _twice(config: Config) -> tuple[int, int]:
    """Records of the topic whose id another one before them has, and records."""
    digests = bytearray()
    for value in unread(config.kafka, config.kafka.events_topic, {}):
        digests += digest(orjson.loads(value)["messageId"].encode())
    ids = np.frombuffer(digests, "S16")
    return len(ids) - len(np.unique(ids)), len(ids)


def _to_gold(config: Config, count: int) -> dict[str, Any]:
    started = time.perf_counter()
    lake = Lake(get_session(config, "history"), config)
    drain(lake, [events.start_with(events.new_micro_batch(lake)), bronze_events.start])
    seconds = time.perf_counter() - started
    silver = lake.read(SILVER_EVENTS).count()
    return {"in_silver": silver, "gold_seconds": round(seconds, 1), "gold_events_per_second": round(count / seconds)}


if __name__ == "__main__":
    run(main)

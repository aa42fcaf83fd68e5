"""Seconds from a commit of gold to the row at its destination, of an export that is continuous, beside streams under an open-loop load.

    ./spark-submit.sh tests/benchmarks/continuous_export.py [--rate 500] [--seconds 180] [--warm-up 60] [--history 30000]

The destination is a real PostgreSQL, which notes when each row came. The export is kept by a process of its own, as `up` starts it. In the end a full
comparison must find nothing to do, and the table must say what gold says. Exit 1 where it does not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import psycopg
import yaml
from deltalake import DeltaTable

from lakehouse.config import PROJECT, load
from lakehouse.demo.shop import Shop
from lakehouse.exports import position
from lakehouse.exports.continuous import ContinuousExport
from lakehouse.exports.declaration import continuous_exports
from lakehouse.exports.exporting import Exporting, Files, run_export
from lakehouse.exports.heard import Hearing
from lakehouse.exports.meters import ExportMeters
from lakehouse.exports.source import Gold
from lakehouse.job import READY, run
from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_kept_store
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.spark.scratch import scratch_lake
from streaming import exports
from tests.benchmarks.freshness import load_queries, remember
from tests.benchmarks.machine import machine
from tests.postgres_server import SECRET, postgres

SEED = 7
EXPORT = {
    **{"name": "people", "owner": "crm", "description": "everybody", "table": "gold.activation", "key": ["id"]},
    **{"columns": {"id": "profile_id", "segment": "segment", "orders": "frequency", "updated_at": "updated_at"}},
    **{"mode": "mirror", "purpose": "analytics", "use": "profile", "to": "database", "into": "people"},
    "is_continuous": True,
}
# When a row came is written by the database itself.
NOTE = """
CREATE TABLE people (id text PRIMARY KEY, segment text, orders bigint, updated_at timestamptz);
CREATE TABLE came (id text, updated_at timestamptz, at timestamptz);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO came VALUES (NEW.id, NEW.updated_at, clock_timestamp()); RETURN NULL; END $$;
CREATE TRIGGER noting AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION note();
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="continuous_export")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--history", type=int, default=30_000)
    parser.add_argument("--worker", metavar="FOLDER")
    arguments = parser.parse_args(argv)
    if arguments.worker:
        keep(Path(arguments.worker))
        return 0
    with scratch_lake(load(), "continuous_export") as lake, postgres() as port:
        folder = Path(lake.config.lake.root)
        declare(folder, port)
        with connected(port) as connection:
            connection.execute(NOTE)
        messages = Shop(arguments.history + int(arguments.rate * arguments.seconds), SEED).messages()
        remember(lake, islice(messages, arguments.history))
        with process(lake, folder):
            counted_from = time.time() + arguments.warm_up
            records = load_queries(lake, messages, arguments.rate).records
            is_dealt_with = wait_until(lambda: looked_at(folder) >= told_at(folder), 120)
        seconds = waits(folder, port, counted_from)
        report = run_export("people", exporting(folder, lake.config), believes_gold=True)
        gold = (
            DeltaTable(folder / "gold" / "activation").to_pyarrow_dataset().to_table(columns=["profile_id", "segment"])
        )
        with connected(port) as connection:
            there = dict(connection.execute("SELECT id, segment FROM people").fetchall())
        said = dict(zip(*(column.to_pylist() for column in gold.columns), strict=True))
        may_leave = len(said) - report.counts["withheld"]
        is_right = len(there) == may_leave and all(said[key] == segment for key, segment in there.items())
        differences = report.counts["delivered"] + report.counts["removed"]
        result = {
            "benchmark": "continuous_export",
            "events_per_second": arguments.rate,
            "rows": len(seconds),
            "gold_to_destination_p50_seconds": round(float(np.quantile(seconds, 0.5)), 2),
            "gold_to_destination_p99_seconds": round(float(np.quantile(seconds, 0.99)), 2),
            "micro_batch_p50_seconds": round(statistics.median(one.seconds["total"] for one in records), 2),
            "micro_batch_max_seconds": round(max(one.seconds["total"] for one in records), 2),
            "profiles": len(there),
            "is_what_gold_says": is_right,
            "differences_of_a_full_comparison": differences,
            "is_all_dealt_with": is_dealt_with,
            **machine(lake.config),
        }
    print(json.dumps(result))
    return 0 if is_right and differences == 0 and is_dealt_with else 1


def looked_at(folder: Path) -> datetime:
    """How far the process has looked at gold.changes, by what it wrote down once it had dealt with all of it."""
    return position.read(str(folder), "people").position.get(GOLD_CHANGES.name, datetime.min.replace(tzinfo=UTC))


def told_at(folder: Path) -> datetime:
    """The newest time that gold.changes has."""
    newest = Gold(folder).newest(GOLD_CHANGES, ("changed_at",))
    assert newest is not None
    return newest


def waits(folder: Path, port: int, counted_from: float) -> np.ndarray:
    """Of every row that came since: seconds from the commit that gold has it by."""
    commits = {row["version"]: row["timestamp"] / 1000 for row in DeltaTable(folder / "gold" / "activation").history()}
    told = DeltaTable(folder / "gold" / "changes").to_pyarrow_dataset().to_table(columns=["version", "changed_at"])
    pairs = {
        (at, version) for at, version in zip(told["changed_at"].to_pylist(), told["version"].to_pylist(), strict=True)
    }
    committed = {at: commits[version] for at, version in sorted(pairs) if version in commits}
    with connected(port) as connection:
        came = connection.execute(
            "SELECT DISTINCT ON (id, updated_at) updated_at, at FROM came ORDER BY id, updated_at, at"
        )
        rows = [(at.timestamp() - committed[updated_at], at) for updated_at, at in came if updated_at in committed]
    return np.array([wait for wait, at in rows if at.timestamp() >= counted_from])


@contextmanager
def process(lake: Lake, folder: Path) -> Iterator[None]:
    """What `up` would start."""
    kafka = {"STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": lake.config.kafka.bootstrap_servers}
    topic = {"STITCHLAKE__KAFKA__EVENTS_TOPIC": lake.config.kafka.events_topic}
    environ = os.environ | kafka | topic | {"STITCHLAKE__LAKE__ROOT": str(folder), "DB_PASSWORD": SECRET}
    command = [sys.executable, __file__, "--worker", str(folder)]
    with subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=subprocess.PIPE, text=True) as beside:
        assert beside.stdout is not None
        assert beside.stdout.readline().strip() == READY
        yield
        assert beside.poll() is None, "it has ended"
        beside.terminate()


def keep(folder: Path) -> None:
    config = load()
    kept, meters, means = open_kept_store(config), ExportMeters(), exporting(folder, config)
    declared = continuous_exports(means.files.exports)
    hearing = Hearing(folder, config.kafka, means.clock)
    made = {one.name: partial(ContinuousExport, one, means, hearing, kept, meters) for one in declared}
    exports.keep(made, meters, Event())


def exporting(folder: Path, config: Any) -> Exporting:
    files = Files(**{name: folder / f"{name}.yaml" for name in ("exports", "destinations", "experiments")})
    environ = {"DB_PASSWORD": SECRET}
    return Exporting(config=config, environ=environ, files=files, clock=lambda: datetime.now(UTC), sleep=time.sleep)


def declare(folder: Path, port: int) -> None:
    database = {"name": "database", "kind": "postgres", "host": "127.0.0.1", "port": port, "database": "postgres"}
    database |= {"user": "shop", "password": "${DB_PASSWORD}", "security": "disable", "allow_private": True}
    for name, entries in {"exports": [EXPORT], "destinations": [database], "experiments": []}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({name: entries}, sort_keys=False))


def connected(port: int) -> "psycopg.Connection[Any]":
    return psycopg.connect(f"host=127.0.0.1 port={port} dbname=postgres user=shop password={SECRET}")


if __name__ == "__main__":
    run(main)

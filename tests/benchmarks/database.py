"""History out of PostgreSQL by JDBC: killed on the way, begun again, and what came since; rows per second, nothing twice.

    ./spark-submit.sh tests/benchmarks/database.py [--rows 200000]

Needs `initdb`, `pg_ctl` and `psql` on the path, and for its driver a Maven repository that answers. The server is one of its own, on a free port
of 127.0.0.1, with a password. Exit 1 when a row is missing or there twice, or when a wrong password is told in more than a line.
"""

import argparse
import json
import os
import subprocess
import time
from typing import Any

import orjson

from lakehouse.config import PROJECT, Config, load
from lakehouse.imports.database import PASSWORD, USER
from lakehouse.job import run
from lakehouse.kafka.unread import unread
from lakehouse.spark.scratch import scratch_config
from tests.benchmarks.machine import machine
from tests.postgres_server import SECRET, postgres, sql

DRIVER = "org.postgresql:postgresql:42.7.7"
MADE = """
INSERT INTO orders SELECT n, 'c-' || n % 5000, timestamptz '2023-01-01 00:00:00+00' + n * interval '90 seconds',
  'p-' || n % 700, (n % 20000) / 100.0 FROM generate_series({first}, {last}) n
"""
QUERY = "SELECT id, 'add_to_cart' AS event, customer AS customer_id, at AS \"timestamp\", product AS product_id, price FROM orders"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="database")
    parser.add_argument("--rows", type=int, default=200_000)
    count: int = parser.parse_args(argv).rows
    with scratch_config(load(), "database") as config, postgres() as port:
        sql(
            port,
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, at timestamptz, product text, price numeric(9,2))",
        )
        sql(port, MADE.format(first=1, last=count))
        refused = importing(config, port, "wrong")
        line = refused.communicate()[1].strip().splitlines()[-1:]
        killed = importing(config, port)
        while len(list(unread(config.kafka, config.kafka.events_topic, {}))) < count // 2 and killed.poll() is None:
            time.sleep(0.5)
        killed.kill()
        killed.wait()
        before = len(list(unread(config.kafka, config.kafka.events_topic, {})))
        started = time.perf_counter()
        rest = finished(importing(config, port))
        seconds = time.perf_counter() - started
        sql(port, MADE.format(first=count + 1, last=count + 1000))
        more = finished(importing(config, port))
        ids = [orjson.loads(value)["messageId"] for value in unread(config.kafka, config.kafka.events_topic, {})]
    is_whole = len(ids) == len(set(ids)) == count + 1000 and more["records"] == 1001
    is_told = (
        refused.returncode == 2
        and len(line) == 1
        and "password authentication failed" in line[0]
        and SECRET not in line[0]
    )
    result = {
        "benchmark": "database",
        "rows": count,
        "is_whole": is_whole,
        "in_topic_when_killed": before,
        "then": rest,
        "rows_per_second": round(rest["records"] / seconds),
        "after_1000_more": more,
        "wrong_password": line,
    }
    print(json.dumps(result | machine(config)))
    return 0 if is_whole and is_told else 1


def importing(config: Config, port: int, password: str = SECRET) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))} | {
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
        USER: "shop",
        PASSWORD: password,
    }
    command = [str(PROJECT / "spark-submit.sh"), "--packages", DRIVER, "batch/import_records.py"]
    command += [
        "--jdbc",
        f"jdbc:postgresql://127.0.0.1:{port}/postgres",
        "--query",
        QUERY,
        "--key",
        "id",
        "--source",
        "simple-events",
    ]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: "subprocess.Popen[str]") -> dict[str, Any]:
    printed, said = process.communicate()
    assert process.returncode == 0, said
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return told


if __name__ == "__main__":
    run(main)

"""Exports measured: into PostgreSQL and MariaDB beside a plain load, and to a receiver that fails, stalls and babbles; each killed three times on the way.

    ./spark-submit.sh tests/benchmarks/export.py [--profiles 100000]

Needs `initdb`, `pg_ctl` and `psql` on the path, and MariaDB's server where that is to be measured, too. The receiver fails 5 % of its calls, half of them after it has taken the rows, lets some hang, asks
others to wait, and answers some with a page. Exit 1 when what is there in the end is not what gold says, when a row took effect twice, when the
ledger does not add up, or when a second run sends anything.
"""

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from tempfile import NamedTemporaryFile, TemporaryDirectory
from threading import Lock, Thread
from typing import Any, Protocol

import psycopg
import pyarrow as pa
import yaml
from deltalake import DeltaTable, write_deltalake
from psycopg import sql

from lakehouse.config import PROJECT, Config, LakeConfig, load
from lakehouse.exports.exporting import Exporting, Files, run_export
from lakehouse.job import run
from tests import mariadb_server
from tests.benchmarks.machine import machine
from tests.postgres_server import SECRET as POSTGRES_SECRET
from tests.postgres_server import postgres

COLUMNS = {
    **{"id": "profile_id", "segment": "segment", "orders": "frequency", "revenue": "monetary"},
    "is_lapsed": "datediff(as_of, last_order_at) > 90",
}
KILLS = 3
TIMEOUT_SECONDS = 1.0
PARTS = ("unchanged", "dead", "withheld", "delivered", "rejected", "unanswered", "unsent")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="export")
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "NAME"))
    arguments = parser.parse_args(argv)
    if arguments.worker:
        print(json.dumps(exported(Path(arguments.worker[0]), arguments.worker[1])))
        return 0
    with TemporaryDirectory(prefix="stitchlake-export-") as folder, ExitStack() as running:
        place, hook = Path(folder), running.enter_context(receiver())
        expected = fill(place, arguments.profiles)
        databases: list[Database] = [Postgres(running.enter_context(postgres()))]
        if not mariadb_server.missing():
            databases.append(Mariadb(running.enter_context(mariadb_server.mariadb())))
        declare(place, databases, hook.url)
        told = {database.name: into_database(place, database, expected) for database in databases}
        told["http"] = over_http(place, hook, expected)
    result = {"benchmark": "export", "profiles": arguments.profiles, **told}
    print(json.dumps(result | machine(load("dev", environ={}))))
    return 0 if all(one["is_right"] for one in told.values()) else 1


class Database(Protocol):
    """One of a kind, for this benchmark. Its tables hold `id` and the columns of COLUMNS."""

    name: str
    port: int

    def declared(self) -> dict[str, Any]:
        """As a destination."""

    def stored(self, table: str) -> dict[str, list[Any]]:
        """id -> the rest."""

    def count(self, table: str) -> int:
        """Rows of the table; 0 where it is not there."""

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """The rows into a table of their own, as fast as it takes them."""


class Postgres:
    name = "postgres"

    def __init__(self, port: int) -> None:
        self.port = port

    def declared(self) -> dict[str, Any]:
        return {"database": "postgres", "password": POSTGRES_SECRET}

    def stored(self, table: str) -> dict[str, list[Any]]:
        with self._connected() as connection:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
            return {row[0]: list(row[1:]) for row in rows}

    def count(self, table: str) -> int:
        with self._connected() as connection:
            if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                return 0
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            return int(found[0]) if found else 0

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        with self._connected() as connection:
            connection.execute("CREATE TABLE plain (LIKE people INCLUDING ALL)")
            with connection.cursor().copy("COPY plain FROM STDIN") as copy:
                for key, row in rows.items():
                    copy.write_row([key, *row])

    def _connected(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(f"host=127.0.0.1 port={self.port} dbname=postgres user=shop password={POSTGRES_SECRET}")


class Mariadb:
    name = "mysql"

    def __init__(self, port: int) -> None:
        self.port = port

    def declared(self) -> dict[str, Any]:
        return {"database": mariadb_server.DATABASE, "password": mariadb_server.SECRET}

    def stored(self, table: str) -> dict[str, list[Any]]:
        with mariadb_server.connected(self.port) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{table}`")
            return {key: [*rest, bool(is_lapsed)] for key, *rest, is_lapsed in cursor.fetchall()}

    def count(self, table: str) -> int:
        with mariadb_server.connected(self.port) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES LIKE %s", (table,))
            if not cursor.fetchall():
                return 0
            cursor.execute(f"SELECT count(*) FROM `{table}`")
            return sum(row[0] for row in cursor.fetchall())

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """LOAD DATA LOCAL INFILE, of a file that is written first."""
        with NamedTemporaryFile("w", suffix=".tsv") as file, mariadb_server.connected(self.port) as connection:
            for key, (segment, *rest, is_lapsed) in rows.items():
                file.write(
                    "\t".join(map(str, [key, "\\N" if segment is None else segment, *rest, int(is_lapsed)])) + "\n"
                )
            file.flush()
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE plain LIKE people")
                cursor.execute("LOAD DATA LOCAL INFILE %s INTO TABLE plain", (file.name,))


def into_database(place: Path, database: Database, expected: Mapping[str, list[Any]]) -> dict[str, Any]:
    """An export of everything beside a plain load of the same rows, one of nothing; and one that is killed on the way."""
    began = time.process_time()
    first, first_seconds = timed(place, database.name)
    first_cpu_seconds = time.process_time() - began
    second, second_seconds = timed(place, database.name)
    stored = database.stored("people")
    started = time.perf_counter()
    database.load(stored)
    load_seconds = time.perf_counter() - started
    is_loaded = database.stored("plain") == stored
    name = f"{database.name}_killed"
    killed(place, name, len(expected), lambda: database.count("people_killed"))
    last, _ = timed(place, name)
    ledger = adds_up(place, name, expected)
    is_right = database.stored("people_killed") == expected and last["delivered"] == 0 and ledger["ledger_adds_up"]
    return {
        "is_right": is_right
        and is_loaded
        and stored == expected
        and first["delivered"] == len(expected)
        and second["delivered"] == 0,
        "rows_per_second": round(len(stored) / first_seconds),
        "plain_load_rows_per_second": round(len(stored) / load_seconds),
        "first_run_seconds": round(first_seconds, 1),
        "first_run_cpu_seconds": round(first_cpu_seconds, 1),
        "second_run_seconds": round(second_seconds, 1),
        "second_run_sent": second["delivered"],
        "killed": ledger | {"is_what_gold_says": is_right, "last_run_sent": last["delivered"]},
    }


def over_http(place: Path, hook: "Receiver", expected: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Killed whenever another quarter is there; then run until it is finished."""
    started = time.perf_counter()
    killed(place, "receiver", len(expected), lambda: len(hook.people))
    seconds = time.perf_counter() - started
    last, _ = timed(place, "receiver")
    ledger = adds_up(place, "receiver", expected)
    twice = sum(count > 1 for count in hook.effects.values())
    there = {
        key: [row["segment"], row["orders"], Decimal(row["revenue"]), row["is_lapsed"]]
        for key, row in hook.people.items()
    }
    is_right = there == expected and twice == 0 and ledger["ledger_adds_up"] and last["delivered"] == 0
    return {
        "is_right": is_right,
        "is_what_gold_says": there == expected,
        "rows_that_took_effect_twice": twice,
        "rows_told_again": hook.again,
        **ledger,
        "last_run_sent": last["delivered"],
        "seconds": round(seconds, 1),
        "calls": dict(hook.answers),
    }


def killed(place: Path, name: str, count: int, there: Callable[[], int]) -> None:
    """Run the export, killed by SIGKILL whenever another quarter of the rows is there; then until it is finished."""
    for kill in range(1, KILLS + 1):
        process = worker(place, name)
        while there() < kill * count // (KILLS + 1) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    runs = 0
    while worker(place, name).wait() != 0:
        runs += 1
        assert runs < 20, f"{name} is never done with"


def adds_up(place: Path, name: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Whether each row of each run is accounted for once, and every row that was sent is held to be there."""
    runs = DeltaTable(place / "lake" / "ops" / "export_runs").to_pyarrow_dataset().to_table().to_pylist()
    own = [row for row in runs if row["export"] == name]
    held = DeltaTable(place / "lake" / "ops" / "export_rows").to_pyarrow_dataset().to_table().to_pylist()
    delivered = {row["key"] for row in held if row["export"] == name and row["state"] == "delivered"}
    does = all(row["read"] == sum(row[part] for part in PARTS) for row in own) and delivered == set(expected)
    return {"ledger_adds_up": does, "states_of_runs": dict(Counter(row["state"] for row in own))}


def fill(place: Path, count: int) -> dict[str, list[Any]]:
    """gold.activation of so many; what of it may leave, as destinations should have it."""
    rng, as_of = Random(5), datetime(2026, 3, 1, tzinfo=UTC)
    rows, expected = [], {}
    for number in range(count):
        row = {
            **{"profile_id": f"p{number:08}", "segment": rng.choice(["loyal", "new", "lost", None])},
            **{"frequency": rng.randrange(9), "monetary": Decimal(rng.randrange(100_000)) / 100, "as_of": as_of},
            **{"last_order_at": datetime(2026, rng.choice([1, 2]), 1 + rng.randrange(28), tzinfo=UTC)},
            **{
                "consent_analytics": None,
                "consent_personalization": None,
                "consent_marketing": rng.random() < 0.9 or None,
            },
            "is_suppressed": rng.random() < 0.02,
        }
        rows.append(row)
        if not row["is_suppressed"]:
            expected[row["profile_id"]] = [row["segment"], row["frequency"], row["monetary"], False]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("profile_id", "segment")),
            *(("frequency", pa.int64()), ("monetary", pa.decimal128(18, 2))),
            *((name, pa.timestamp("us", tz="UTC")) for name in ("as_of", "last_order_at")),
            *((f"consent_{purpose}", pa.bool_()) for purpose in ("analytics", "personalization", "marketing")),
            ("is_suppressed", pa.bool_()),
        ]
    )
    write_deltalake(place / "lake" / "gold" / "activation", pa.Table.from_pylist(rows, schema=schema))
    return expected


def declare(place: Path, databases: Sequence[Database], url: str) -> None:
    common = {
        **{"owner": "crm", "description": "everybody", "table": "gold.activation", "columns": COLUMNS, "key": ["id"]},
        **{"mode": "mirror", "purpose": "marketing"},
    }
    exports = [{**common, "name": "receiver", "to": "receiver", "batch_rows": 500}]
    declared = []
    for database in databases:
        exports.append({**common, "name": database.name, "to": database.name, "into": "people"})
        exports.append({**common, "name": f"{database.name}_killed", "to": database.name, "into": "people_killed"})
        reached = {"kind": database.name, "host": "127.0.0.1", "port": database.port, "user": "shop"}
        free = {"security": "disable", "allow_private": True}
        declared.append({"name": database.name, **reached, **database.declared(), **free})
    webhook = {"name": "receiver", "kind": "webhook", "url": url, "allow_private": True, "per_second": 10_000}
    documents = {"exports": exports, "destinations": [*declared, webhook], "experiments": []}
    for name, entries in documents.items():
        (place / f"{name}.yaml").write_text(yaml.safe_dump({name: entries}, sort_keys=False))


def exported(place: Path, name: str) -> dict[str, int]:
    """One run, in this process."""
    named = {file: place / f"{file}.yaml" for file in ("exports", "destinations", "experiments")}
    exporting = Exporting(
        config=config_of(place), environ={}, files=Files(**named), clock=lambda: datetime.now(UTC), sleep=time.sleep
    )
    return dict(run_export(name, exporting).counts)


def config_of(place: Path) -> Config:
    config = load("dev", environ={})
    actions = dataclasses.replace(
        config.actions, timeout_seconds=TIMEOUT_SECONDS, backoff_seconds=0.05, backoff_max_seconds=0.5, max_attempts=8
    )
    return dataclasses.replace(config, lake=LakeConfig(root=str(place / "lake"), keep_hours=1), actions=actions)


def worker(place: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--worker", str(place), name]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def timed(place: Path, name: str) -> tuple[dict[str, int], float]:
    """One run in this process; its counts, and how long it took without the start of Python."""
    started = time.perf_counter()
    return exported(place, name), time.perf_counter() - started


class Receiver:
    """people: key -> row. effects: key -> how often its row became another. again: rows that came as they were there already."""

    def __init__(self) -> None:
        self.url = ""
        self.people: dict[str, dict[str, Any]] = {}
        self.effects: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.again = 0
        self.rng = Random(11)
        self.lock = Lock()

    def take(self, body: Mapping[str, Any]) -> None:
        for one in body["rows"]:
            if self.people.get(one["key"]) == one["row"]:
                self.again += 1
                continue
            self.people[one["key"]] = one["row"]
            self.effects[one["key"]] += 1
        for key in body["removed"]:
            self.people.pop(key, None)

    def answer(self, body: Mapping[str, Any]) -> str:
        """What becomes of a call; the rows are taken or not."""
        with self.lock:
            draw = self.rng.random()
            told = (
                "failed before" if draw < 0.025 else "failed after" if draw < 0.05 else "hangs" if draw < 0.06
                else "429" if draw < 0.09 else "page" if draw < 0.11 else "taken"
            )  # fmt: skip
            if told in ("failed after", "hangs", "taken"):
                self.take(body)
            self.answers[told] += 1
        return told


@contextmanager
def receiver() -> Iterator[Receiver]:
    hook = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = hook.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if told == "hangs":
                time.sleep(2 * TIMEOUT_SECONDS)
            page = b"<html>sorry</html>" if told == "page" else b""
            status = {"taken": 200, "page": 200, "429": 429, "hangs": 200}.get(told, 503)
            try:
                self.send_response(status)
                if told == "429":
                    self.send_header("Retry-After", "0.2")
                self.send_header("Content-Type", "text/html" if page else "application/json")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/people"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    run(main)

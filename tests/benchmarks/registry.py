"""Avro of a real schema registry, Apicurio, through the streams: a schema that grows, what it answers, what streams do while it is away, and what of it a rebuild needs.

    ./spark-submit.sh tests/benchmarks/registry.py [--records 1000]

Records are written by four versions of one schema: one of them widens a number and adds a field, one renames a field, one removes one. Apicurio comes from
Maven Central, by mvn, and runs on this machine on a file of its own. Each line says what was found and what was
expected; exit code 1 when they differ anywhere. The last line is one JSON object.
"""

import argparse
import dataclasses
import json
import logging
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import requests
from pyspark.sql import functions as F

from batch.rebuild import check_declared
from lakehouse import machine
from lakehouse.config import Config, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import StitchlakeError
from lakehouse.job import run
from lakehouse.kafka import admin
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.queries import bronze_events, declarations, events
from lakehouse.queries.driver import start_all
from lakehouse.queries.quarantine_replay import Outcome, replay
from lakehouse.schemas.registry import Registry
from lakehouse.sources.source import Source
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import supervise
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests.avro_records import encoded, field, framed, record
from tests.benchmarks.machine import machine as described

VERSION = "3.0.9"  # the last that runs on Java 17
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
PATIENCE_SECONDS = 180.0
REJECTED = 5  # records of an id that nobody knows
TOPIC = "receipts"
DECLARED = """
format: {type: avro, reader: receipt.avsc}
fields: {number: text, at: time, who: text, sum: number}
type: track
name: "'Order Completed'"
id: concat('receipt-', number)
time: at
identifiers: {user_id: who}
properties: {order_id: number, revenue: sum}
"""
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
AT = field("at", {"type": "long", "logicalType": "timestamp-millis"})
READER = record(
    field("number", "long"),
    AT,
    field("who", "string", default="nobody"),
    field("sum", MONEY, aliases=["gross", "total"]),
)
# The first; a number widened and a field added; a field renamed; a field removed and another added.
VERSIONS = (
    record(field("number", "int"), AT, field("who", "string"), field("gross", MONEY)),
    record(
        field("number", "long"),
        AT,
        field("who", "string"),
        field("gross", MONEY),
        field("shop", ["null", "string"], default=None),
    ),
    record(field("number", "long"), AT, field("who", "string"), field("total", MONEY)),
    record(field("number", "long"), AT, field("total", MONEY), field("till", "int", default=0)),
)
STARTS = [events.start, bronze_events.start]


class Apicurio:
    """The registry, with its schemas in a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = machine.free_port()
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until it answered."""
        started = time.monotonic()
        environ = os.environ | {
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self._port),
            "QUARKUS_MANAGEMENT_ENABLED": "false",
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{self._folder}/registry",
        }
        jar = next(unpacked().glob("*-runner.jar"))
        with (self._folder / "apicurio.log").open("ab") as log:
            self._process = process = subprocess.Popen(
                [machine.java(), "-Xmx512m", "-jar", str(jar)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        machine.wait_until(lambda: process.poll() is not None or self._answers(), PATIENCE_SECONDS)
        if not self._answers():
            raise StitchlakeError(f"apicurio: did not answer, expected {self.url}. See {self._folder}/apicurio.log")
        return time.monotonic() - started

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def register(self, subject: str, schema: Any, **more: Any) -> int:
        """The id."""
        answer = requests.post(
            f"{self.url}/subjects/{subject}/versions", json={"schema": json.dumps(schema), **more}, timeout=20
        )
        answer.raise_for_status()
        return int(answer.json()["id"])

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/subjects", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def unpacked() -> Path:
    """Apicurio's folder; fetched on first use."""
    folder = machine.cache_folder() / f"apicurio-{VERSION}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={part}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        archive = next(part.glob("*.tar.gz"))
        with tarfile.open(archive) as file:
            file.extractall(part, filter="data")
        archive.unlink()
        part.rename(folder)
    return folder


class Findings:
    """Told as they are made; what differs is remembered."""

    def __init__(self) -> None:
        self.differences = 0

    def say(self, what: str, found: object, expected: object) -> None:
        is_so = found == expected
        self.differences += not is_so
        print(
            f"{'as expected' if is_so else 'DIFFERENT  '}  {what}: {found}"
            + ("" if is_so else f", expected {expected}"),
            flush=True,
        )

    def wait(self, what: str, count: Callable[[], int], expected: int) -> float:
        """Seconds until so many are counted."""
        started = time.monotonic()
        machine.wait_until(lambda: count() >= expected, PATIENCE_SECONDS)
        self.say(what, count(), expected)
        return time.monotonic() - started


@contextmanager
def streams(lake: Lake) -> Iterator[list[str]]:
    """The queries, started again when they fail. Gives the lines that say so."""
    told: list[str] = []

    class Handler(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            if "Tried again" in line.getMessage():
                told.append(line.getMessage())

    handler = Handler()
    logging.getLogger("stitchlake.streams").addHandler(handler)
    thread = Thread(target=supervise, args=(lake, STARTS, start_all(lake, STARTS, available_now=False)), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        logging.getLogger("stitchlake.streams").removeHandler(handler)
        while thread.is_alive():
            for query in lake.spark.streams.active:
                query.stop()
            thread.join(1.0)


def receipt(version: int, number: int) -> bytes:
    """Avro without an id."""
    said = {
        "number": number,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "who": f"c-{number % 97}",
        "shop": "Bonn",
        "till": 4,
    }
    return encoded(VERSIONS[version], said | dict.fromkeys(("gross", "total"), Decimal(number) / 100))


def protocol(apicurio: Apicurio, config: Config, found: Findings) -> list[int]:
    """The ids of the versions of receipts."""
    registry = Registry(config.schema_registry)
    ids = [apicurio.register("receipts-value", version) for version in VERSIONS[:3]]
    texts = [registry.of_id(number) for number in ids]
    found.say("schemas by their ids", [one and json.loads(one.text) for one in texts], [*VERSIONS[:3]])
    found.say("a schema by its version", registry.of_version("receipts-value", 2), texts[1])
    found.say("an id that nobody knows", registry.of_id(99_999), None)
    found.say("a version that nobody knows", registry.of_version("receipts-value", 99), None)
    found.say("a subject that nobody knows", registry.of_version("nobody/at all", 1), None)
    line = record(field("sku", "string"), name="shop.Line")
    apicurio.register("line", line)
    order = record(field("lines", {"type": "array", "items": "shop.Line"}), name="shop.Order")
    reference = [{"name": "shop.Line", "subject": "line", "version": 1}]
    schema = registry.of_id(apicurio.register("order", order, references=reference))
    found.say(
        "a reference",
        schema and {name: json.loads(text) for name, text in schema.references.items()},
        {"shop.Line": line},
    )
    return ids


class Receipts:
    """Records of one topic on their way through the streams. count: records of a step."""

    def __init__(self, lake: Lake, apicurio: Apicurio, ids: list[int], count: int, found: Findings) -> None:
        self._lake, self._apicurio, self._ids, self._found = lake, apicurio, ids, found
        self.count = count
        self.sent = 0

    def send(self, version: int, count: int, number: int | None = None) -> None:
        """`number`: the id that they name; None = that of the version."""
        numbers = range(self.sent + 1, self.sent + count + 1)  # no order is called 0
        values = (framed(number or self._ids[version], receipt(version, n)) for n in numbers)
        messages = (Message(key=b"k", value=one, at=datetime.now(UTC)) for one in values)
        produce(messages, self._lake.config.kafka, TOPIC, on_progress=lambda _: None)
        self.sent += count

    def landed(self) -> int:
        return self._lake.read(SILVER_EVENTS).count()

    def rejected(self) -> int:
        return self._lake.read(SILVER_EVENTS_QUARANTINE).count()

    def is_archived(self) -> bool:
        """Whether bronze has all, from which a rejected record is sent again."""
        return self._lake.read(BRONZE_EVENTS).count() >= self.sent

    def known_while_it_is_away(self) -> None:
        self.send(0, self.count)
        self.send(1, self.count)
        self._found.wait("records of two versions of the schema", self.landed, self.sent)
        self._apicurio.kill()
        self.send(1, self.count)
        self._found.wait("records of a known schema, the registry killed", self.landed, self.sent)

    def unknown_until_it_is_back(self, told: list[str]) -> dict[str, float]:
        self.send(2, self.count)
        machine.wait_until(lambda: len(told) >= 2, PATIENCE_SECONDS)
        reasons = {"RegistryError" in line for line in told}
        self._found.say("the query was started again, because of the registry", reasons, {True})
        self._found.say("records in quarantine while it is away", self.rejected(), 0)
        again = self._apicurio.start()
        landed = self._found.wait("records with a renamed field, after it is back", self.landed, self.sent)
        return {"start_seconds": round(again, 1), "landed_after_seconds": round(landed, 1)}

    def unknown_to_it(self) -> None:
        number = max(self._ids) + 3  # the next id Apicurio gives: a line and an order came between
        self.send(3, REJECTED, number)
        self._found.wait("records of an id that nobody knows, in quarantine", self.rejected, REJECTED)
        given = self._apicurio.register("receipts-value", VERSIONS[3])
        self._found.say("the id it is registered under", given, number)
        machine.wait_until(self.is_archived, PATIENCE_SECONDS)
        config = self._lake.config
        sources = partial(Source.named, folder=Path(config.lake.root).with_name("sources"), config=config)
        declared, now = declarations.declarations(config), datetime.now(UTC)
        tally = replay(self._lake, sources, self._send_again, now=now, declared=declared)
        self._found.say("replayed", tally.outcomes[Outcome.SENT], REJECTED)
        self._found.wait("all records", self.landed, self.sent)

    def _send_again(self, topic: str, messages: Iterable[Message]) -> None:
        produce(messages, self._lake.config.kafka, topic, on_progress=lambda _: None)

    def rebuilt_without_it(self) -> None:
        total = self._lake.read(SILVER_EVENTS).agg(F.sum("revenue")).collect()[0][0]
        self._found.say("revenue", total, sum(Decimal(n) / 100 for n in range(1, self.sent + 1)))
        self._apicurio.kill()
        self._found.say("differences of a rebuild without the registry", check_declared(self._lake), 0)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="registry")
    parser.add_argument("--records", type=int, default=1000)
    options = parser.parse_args(argv)
    found = Findings()
    with scratch_lake(load(), "registry") as scratch:
        folder = Path(scratch.config.lake.root).parent
        conf = Path(shutil.copytree(SOURCES, folder / "sources"))
        (conf / "receipts.yaml").write_text(DECLARED)
        (conf / "receipt.avsc").write_text(json.dumps(READER))
        vars(declarations)["SOURCES"] = conf
        apicurio = Apicurio(folder)
        try:
            first_start = apicurio.start()
            config = dataclasses.replace(
                scratch.config,
                schema_registry=dataclasses.replace(scratch.config.schema_registry, url=apicurio.url),
                kafka=dataclasses.replace(scratch.config.kafka, sources={TOPIC: "receipts"}),
            )
            admin.create_topic(config.kafka, TOPIC, 2)
            lake = Lake(scratch.spark, config)
            ids = protocol(apicurio, config, found)
            receipts = Receipts(lake, apicurio, ids, options.records, found)
            with streams(lake) as told_again:
                receipts.known_while_it_is_away()
                figures = receipts.unknown_until_it_is_back(told_again)
                receipts.unknown_to_it()
            receipts.rebuilt_without_it()
        finally:
            apicurio.kill()
    told = {
        "benchmark": "registry",
        "apicurio": VERSION,
        "differences": found.differences,
        "first_start_seconds": round(first_start, 1),
    }
    print(json.dumps(told | figures | {"records": options.records} | described(config)))
    return 1 if found.differences else 0


if __name__ == "__main__":
    run(main)

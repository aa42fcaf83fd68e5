"""People erased while streams run: is anything left of them, and is everything else as if they had never been?

    ./spark-submit.sh tests/benchmarks/erasure.py [--events 8500] [--people 100] [--rate 20]

Two thirds of a simulated shop's history are streamed. While the rest comes at a fixed rate, erasures are asked for, two a second. Of whom is erased an
identify event with an e-mail address and a number of their own is sent first. When all is read and every receipt says `erased`:

    scan      every file below the lake (Parquet is read) and what the streams logged, at level debug: for whatever identifier was theirs alone, as they sent it and
              as its token; but for the broker's data. The same before the first erasure, so that it is known to find them
    world     another lake, streamed from a topic of what bronze has left, in which none of these values stands: tables compared row by row, those of records by
              their number
    check     batch/rebuild.py --check on both
    again     the checkpoint is deleted and the topic read from its start: nothing more is there
    window    the broker's retention is let pass, in a moment: it is set to a second. Its folder is scanned, too, once no topic has a record: records are compressed,
              so none may be left to be looked through

Ends with one line of JSON, and 1 where anything is found, differs or is left.
"""

import argparse
import dataclasses
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are documented there
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from batch.rebuild import check_declared, overwrite_profiles
from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.demo.truth import IDENTIFIER_TYPES
from lakehouse.events.identifiers import resolve
from lakehouse.job import run
from lakehouse.kafka import admin
from lakehouse.kafka.clients import librdkafka
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.folders import folder
from lakehouse.machine import cache_folder, wait_until
from lakehouse.people.person import identifier_of, person, profiles_with
from lakehouse.people.requests import WAITING, keep, new
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import Start, await_all
from lakehouse.tables.erasures import OPS_ERASURES
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from tests.benchmarks.machine import machine
from tests.compare_lakes import compare_lakes

SEED = 11
PATIENCE_SECONDS = 900.0
WINDOW_SECONDS = 180.0  # the local broker looks for what is too old each minute
ASKED_EVERY = 0.5  # seconds
SHORTEST = 6  # characters: less stands in anything
AT = datetime(2026, 1, 2, 10, tzinfo=UTC)
# Their rows say where in Kafka a record lay, and in another topic it lies elsewhere: counted, and not compared.
PLACED = {"bronze.events", "silver.events", "silver.event_faults", "silver.events_quarantine"}
# Made of all records that ever came, or of the run itself.
OF_THE_RUN = {
    "ops.data_quality",
    "ops.erasures",
    "ops.erased_identifiers",
    "ops.audit",
    "gold.changes",
}


def both_queries() -> list[Start]:
    """Of one lake: started again they go on with the same micro-batch, as two of them must never write side by side."""
    return [events.starter(), bronze_events.start]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gone:
    """Somebody who is erased. person_id: in the shop's truth."""

    person_id: str
    user_id: str
    email: str
    phone: str

    @property
    def told(self) -> Message:
        value = {
            **{"type": "identify", "messageId": f"told-{self.email.split('@')[0]}", "userId": self.user_id},
            **{"timestamp": "2026-01-02T10:00:00Z", "traits": {"email": self.email, "phone": self.phone}},
        }
        return Message(self.user_id.encode(), json.dumps(value).encode(), AT)


def chosen(shop: Shop, count: int) -> list[Gone]:
    """People who log in under a user id that nobody else has."""
    owners: dict[str, set[str]] = {}
    for unit in shop.truth.units:
        if unit.bundle[0] is not None:
            owners.setdefault(unit.bundle[0], set()).add(unit.person_id)
    alone = [(min(people), user) for user, people in sorted(owners.items()) if len(people) == 1]
    return [
        Gone(person_id=person, user_id=user, email=f"gone.{number}@erased.example", phone=f"+1202555{number:04}")
        for number, (person, user) in enumerate(alone[:: max(1, len(alone) // count)][:count])
    ]


def needles(lake: Lake, shop: Shop, gone: Iterable[Gone]) -> list[bytes]:
    """Values, and the tokens that stand for them: of what they told of themselves, and of each identifier that the graph has of them and nobody else ever has."""
    config, found = lake.config, list[str]()
    carriers: dict[tuple[str, str], set[str]] = {}
    for unit in shop.truth.units:
        for kind, value in zip(IDENTIFIER_TYPES, unit.bundle, strict=True):
            if value is not None:
                carriers.setdefault((kind, value), set()).add(unit.person_id)
    own: dict[str, list[tuple[str, str]]] = {}
    for (kind, value), people in carriers.items():
        if len(people) == 1:
            own.setdefault(min(people), []).append((kind, value))
    for one in gone:
        known = identifier_of(config, "user_id", one.user_id)
        of_graph = person(lake, known, profiles_with(lake, known)).own
        told = [("email", one.email), ("phone", one.phone), *own.get(one.person_id, ())]
        tokens = ((kind, value, resolve(kind, value, config)) for kind, value in told)
        found += [
            text for kind, value, token in tokens if token and (kind, token) in of_graph for text in (value, token)
        ]
    return sorted({text.encode() for text in found if len(text) >= SHORTEST})


def let_records_go(lake: Lake) -> int:
    """Let the retention of every topic of ours pass; how many bytes of records are left when it has, or patience has ended."""
    client = AdminClient(librdkafka(lake.config.kafka))
    topics = [topic for topic in client.list_topics(timeout=10).topics if not topic.startswith("__")]
    settings = {"retention.ms": "1000", "file.delete.delay.ms": "1000"}
    asked = [
        ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(*one, incremental_operation=AlterConfigOpType.SET) for one in settings.items()
            ],
        )
        for topic in topics
    ]
    for told in client.incremental_alter_configs(asked).values():
        told.result(10)
    data = Path(lake.root) / "_kafka" / "data"

    def left() -> int:
        return sum(path.stat().st_size for topic in topics for path in data.glob(f"{topic}-*/*.log*"))

    wait_until(lambda: left() == 0, WINDOW_SECONDS)
    return left()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """What this process, Spark's and its workers write on standard error goes to the file, with our own lines of every level."""
    before, file = os.dup(2), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("stitchlake").setLevel(logging.DEBUG)
    try:
        yield
    finally:
        os.dup2(before, 2)


def found_in(folders: Sequence[Path], wanted: Sequence[bytes], *, but: Sequence[str] = ()) -> Iterator[str]:
    """Files in which one stands, in folders, or themselves. Parquet is read, for it is compressed."""
    files = (path for root in folders for path in ([root] if root.is_file() else sorted(root.rglob("*"))))
    for path in filter(Path.is_file, files):
        if any(part in but for part in path.parts):
            continue
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        if any(one in text for one in wanted):
            yield str(path)


def stream_and_erase(
    lake: Lake, starts: list[Start], messages: Sequence[Message], gone: Sequence[Gone], rate: float
) -> float:
    """Seconds from the last request to the last receipt."""
    kafka = lake.config.kafka
    queries = start_all(lake, starts, available_now=False)
    place = folder(lake.root, WAITING, None)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(produce, messages, kafka, kafka.events_topic, on_progress=lambda n: None, per_second=rate)
        for one in gone:
            identifier = identifier_of(lake.config, "user_id", one.user_id)
            keep(place, new(identifier, by="benchmark", reason="erasure.py", at=datetime.now(UTC), every=True))
            time.sleep(ASKED_EVERY)
        began = time.monotonic()
        while (place.names() or not sending.done()) and time.monotonic() - began < PATIENCE_SECONDS:
            if any(query.exception() is not None for query in queries):
                raise RuntimeError(str([query.exception() for query in queries]))
            time.sleep(0.5)
        took = time.monotonic() - began
        sending.result()
    for query in queries:
        query.processAllAvailable()
        query.stop()
    return took


def quietly(lake: Lake) -> int:
    with redirect_stdout(StringIO()):
        return check_declared(lake)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="erasure")
    parser.add_argument("--events", type=int, default=8_500)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--rate", type=float, default=20.0)
    asked = parser.parse_args(argv)
    shop = Shop(asked.events, SEED)
    everything = list(shop.messages())
    gone = chosen(shop, asked.people)
    history = [*(one.told for one in gone), *everything[: 2 * asked.events // 3]]
    rest = everything[2 * asked.events // 3 :]
    with (
        TemporaryDirectory(prefix="stitchlake-erasure-logs-") as logs,
        logged(Path(logs) / "streams.log"),
        scratch_lake(load(), "erasure") as lake,
    ):
        began, kafka = time.monotonic(), lake.config.kafka
        produce(history, kafka, kafka.events_topic, on_progress=lambda n: None)
        starts = both_queries()
        await_all(lake, start_all(lake, starts, available_now=True))
        wanted = needles(lake, shop, gone)
        places = [Path(lake.root), Path(logs), cache_folder() / "logs" / f"jvm-{os.getpid()}.log"]
        before = len(list(found_in(places, wanted, but=("_kafka",))))
        took = stream_and_erase(lake, starts, rest, gone, asked.rate)
        await_all(lake, start_all(lake, starts, available_now=True))  # what was held back goes from bronze
        receipts = lake.read(OPS_ERASURES).toArrow().to_pylist()
        root = Path(lake.root)
        left = list(found_in(places, wanted, but=("_kafka",)))
        differences = quietly(lake)
        of_world = compared(lake)
        rows = lake.read(SILVER_EVENTS).count()
        shutil.rmtree(root / "_checkpoints")
        for _ in range(2):  # bronze is rid of what is held back when the queries begin, and then each ten minutes
            await_all(lake, start_all(lake, both_queries(), available_now=True))
        came_back = lake.read(SILVER_EVENTS).count() - rows
        again = quietly(lake)
        of_records = let_records_go(lake)
        left += found_in(places, wanted)
        result = {
            "benchmark": "erasure", "events": asked.events, "people": len(gone),
            "erased": sum(one["outcome"] == "erased" for one in receipts),
            "rows": sum(sum(json.loads(one["counts"]).values()) for one in receipts),
            "needles": len(wanted), "files_with_a_trace_before": before, "files_with_a_trace": len(left), "bytes_of_records_left": of_records,
            "seconds_after_last": round(took, 1), "seconds": round(time.monotonic() - began),
            "rebuild_differences": differences, "world_differences": of_world, "came_back": came_back, "rebuild_differences_again": again,
            "machine": machine(lake.config),
        }  # fmt: skip
    print(*left[:20], sep="\n", file=sys.stderr)
    print(json.dumps(result))
    wrong = len(left) + differences + sum(of_world.values()) + came_back + again + of_records
    return 1 if wrong or not before or result["erased"] != len(gone) else 0


def compared(lake: Lake) -> dict[str, int]:
    """Tables that are other than in a world whose topic has only what bronze has left, and by how many rows."""
    topic, root = "without-them", f"{lake.root}-without"
    kafka = dataclasses.replace(lake.config.kafka, events_topic=topic)
    admin.create_topic(kafka, topic, kafka.partitions)
    config = dataclasses.replace(lake.config, kafka=kafka, lake=dataclasses.replace(lake.config.lake, root=root))
    other = Lake(lake.spark, config)
    rows = lake.read(BRONZE_EVENTS).orderBy("partition", "offset").select("key", "value").toArrow()
    left = zip(rows["key"].to_pylist(), rows["value"].to_pylist(), strict=True)
    produce((Message(key, value, AT) for key, value in left), kafka, topic, on_progress=lambda n: None)
    await_all(other, start_all(other, both_queries(), available_now=True))
    for one in (lake, other):
        overwrite_profiles(one)  # so that all figures are of one time
    of_tables = compare_lakes(lake.root, root)
    told = {one.table: abs(one.rows - one.other_rows) if one.table in PLACED else one.differences for one in of_tables}
    return {table: count for table, count in told.items() if count and table not in OF_THE_RUN}


if __name__ == "__main__":
    run(main)

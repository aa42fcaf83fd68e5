"""The inputs of other people's bug reports, and hostile ones, through a real broker and the whole path; once past a driver killed by `kill -9`.

Whatever is right or wrong with them, no query stops, and the stream's tables are those of one computation from silver. Plans are interpreted, as in
most tests: tests/end_to_end/test_invariants.py runs the same ones compiled.
"""

import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from batch import rebuild, reconcile
from batch.rebuild import check_declared
from lakehouse.catalog import TABLES
from lakehouse.demo.shop import Shop
from lakehouse.errors import LakeError
from lakehouse.events.clock import microseconds
from lakehouse.events.event_row import EventReader
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.kafka import admin, broker
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import drain
from lakehouse.spark import opened_lake
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from tests.faults.driver_process import kill_in_the_middle

SEED = 11
HOSTILE: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        7,
        12345.0,
        2**70,
        1e308,
        0.125,
        -0.01,
        "",
        " ",
        "null",
        "undefined",
        "[object Object]",
        "NaN",
        "1e-999",
    ),
    *(
        [],
        {},
        [None],
        [1, "a"],
        {"a": {"b": []}},
        "x" * 400,
        "9" * 16,
        "9" * 40,
        "12,50",
        "\u200bid\u00a0",
        "\ud83d",
        "\0",
        "%22q%22",
    ),
    *("kim@example.com", "Kim <KIM@Example.com>", "+4917012345678", "0049 (0)170 12345678", "2026-11-27T10:00:00Z"),
    *("9999-12-31T23:59:59Z", "0001-01-01", 1795774800, 1795774800000, "2026-11-27 10:00:00 UTC", "EUR", "HRK", "zzz"),
)
NAMES = (
    "Order Completed",
    "order_completed",
    "Order Refunded",
    "Order Cancelled",
    "Order Updated",
    "Product Viewed",
    "Product Added",
)
TYPES = ("track", "track", "track", "identify", "page", "group", "alias", "suppress", "unsuppress")
TYPES += ("product_availability", "experiment_start")
FIELDS = {
    "userId": ("u-1", "u-2", "u-3"),
    "anonymousId": ("c-1", "c-2", "c-3", "c-4"),
    "timestamp": ("2026-11-27T10:00:00Z", "2026-11-20T10:00:00Z", "2025-01-01T00:00:00Z"),
    "sentAt": ("2026-11-27T10:00:01Z",),
    "traits.email": ("kim@example.com", "bo@example.com"),
    "traits.loyalty_tier": ("gold",),
    "context.consent.categoryPreferences": ({"marketing": True}, {"marketing": False}, {"C0004": "0"}),
    "properties.order_id": ("o-1", "o-2", "o-3"),
    "properties.revenue": (10, "19.90", 9_999_999_999_999_999),
    "properties.currency": ("USD", "EUR"),
    "properties.product_id": ("p-1", "p-2"),
    "properties.is_available": (True, False),
    "properties.experiment": ("x-1", "x-2"),
    "properties.layer": ("l",),
    "properties.buckets": ([0, 5000],),
    "properties.salt": ("", "s"),
    "properties.arms": ([{"name": "a", "weight": 1}, {"name": "b", "weight": 2}],),
    "properties.products": ([{"product_id": "p-1", "price": 10, "quantity": 2}], [{"price": "1e30", "quantity": 1e30}]),
}


def sent() -> list[bytes]:
    """The value of every record, in the order of the files."""
    cases = Path(__file__).parents[1] / "cases"
    values = [json.loads(line)["value"] for line in (cases / "ingest.jsonl").read_text("utf-8").splitlines()]
    lists = [json.loads(line)["events"] for line in (cases / "identity.jsonl").read_text("utf-8").splitlines()]
    values += [json.dumps(event) for events in lists for event in events]
    return [value.encode("utf-8", "surrogatepass") for value in values]


def hostile(count: int) -> list[bytes]:
    """Messages that are mostly accepted, each with some field that holds what nobody expects there."""
    chance = random.Random(SEED)
    values = []
    for number in range(count):
        message: dict[str, Any] = {
            "messageId": f"h-{number}",
            "type": chance.choice(TYPES),
            "event": chance.choice(NAMES),
        }
        for place, usual in FIELDS.items():
            if chance.random() < 0.6:
                *parents, name = place.split(".")
                node = message
                for parent in parents:
                    node = node.setdefault(parent, {})
                node[name] = chance.choice(HOSTILE) if chance.random() < 0.15 else chance.choice(usual)
        values.append(json.dumps(message).encode())
    return values


QUERIES = [events.start, bronze_events.start]


def sent_to(lake: Lake, kafka: broker.RunningBroker, values: Sequence[bytes]) -> Lake:
    """A lake that will read the values from a topic of its own, in small micro-batches."""
    topic = f"cases-{uuid4().hex[:8]}"
    admin.create_topic(kafka, topic, 2)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for value in values:
        producer.send(topic, value)
    producer.close()
    config = lake.config
    config = dataclasses.replace(
        config,
        kafka=dataclasses.replace(config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=topic),
        profiles=dataclasses.replace(config.profiles, max_offsets_per_trigger=len(values) // 2),
    )
    return Lake(lake.spark, config)


def accepted(lake: Lake, values: Sequence[bytes]) -> set[str]:
    """The messages that are events, by the reading alone: no stream, no table."""
    reader, now = EventReader(lake.config), microseconds(datetime.now(UTC))
    rows = (reader.read(value, now, now) for value in values)
    return {str(row.message_id) for row in rows if row.verdict is None}


def assert_is_one_computation(lake: Lake, values: Sequence[bytes], *, has_facts: bool) -> None:
    assert lake.read(BRONZE_EVENTS).count() == len(values)
    ids = [row["message_id"] for row in lake.read(SILVER_EVENTS).select("message_id").collect()]
    assert sorted(ids) == sorted(accepted(lake, values))
    assert [lake.read(table).isEmpty() for table in FACT_TABLES] == [not has_facts] * 2
    assert check_declared(lake) == 0
    assert lake.read(SILVER_ORDERS).where("revenue < 0").isEmpty()


def test_as_they_stand_past_a_kill_the_stream_gives_what_one_computation_gives(
    lake: Lake, kafka: broker.RunningBroker
) -> None:
    values = sent() + [message.value for message in Shop(1_000, SEED).messages() if message.value is not None]
    lake = sent_to(lake, kafka, values)
    kill_in_the_middle(lake.config, len(values) // 4)
    drain(lake, QUERIES)
    assert_is_one_computation(lake, values, has_facts=False)


@pytest.fixture(scope="module")
def among_hostile() -> list[bytes]:
    values = sent() + hostile(1500)
    random.Random(SEED).shuffle(values)
    return values


@pytest.fixture(scope="module")
def drained(among_hostile: list[bytes], new_lake: Callable[[str], Lake], kafka: broker.RunningBroker) -> Lake:
    lake = sent_to(new_lake("hostile"), kafka, among_hostile)
    drain(lake, QUERIES)
    return lake


def test_shuffled_among_hostile_ones_the_stream_gives_what_one_computation_gives(
    drained: Lake, among_hostile: list[bytes]
) -> None:
    assert_is_one_computation(drained, among_hostile, has_facts=True)


def test_check_on_a_lake_from_before_a_table_says_what_to_run_and_either_repair_mends_it(
    drained: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = drained
    for job in (rebuild, reconcile):
        monkeypatch.setattr(job, "load", lambda: lake.config)
    monkeypatch.setattr(opened_lake, "get_session", lambda *_: lake.spark)
    for repair in (reconcile, rebuild):
        shutil.rmtree(lake.path(GOLD_CHANGES))
        with pytest.raises(LakeError, match=r"no table gold\.changes, got a lake of an earlier .* batch/rebuild\.py"):
            rebuild.main(["--check"])
        assert not repair.main([])
        lake.require(TABLES.values())
    assert rebuild.main(["--check"]) == 0

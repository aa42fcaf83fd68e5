"""Silver made from the archive is the silver that streaming made, and the stream goes on behind it."""

import dataclasses
import random
import shutil
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from batch.rebuild import check_declared, overwrite_profiles
from lakehouse.demo.shop import Shop
from lakehouse.errors import LakeError
from lakehouse.events.reasons import FACT
from lakehouse.kafka import admin, broker
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import refilling, writer
from lakehouse.queries import bronze_events, driver, events
from lakehouse.queries.silver_from_bronze import refill, transform
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

TOPIC = "archived"
STARTS = [events.start, bronze_events.start]
SCHEMA = "topic string, partition int, offset bigint, message_id string, content_hash bigint, arrived_at timestamp, reason string"
Place = tuple[int, int]


def test_the_first_content_of_an_id_is_its_event_and_every_other_a_conflict_once(spark: SparkSession) -> None:
    chance = random.Random(7)
    rows: list[tuple[Any, ...]] = []
    for offset in range(400):
        arrived = datetime(2026, 1, 1) + timedelta(seconds=offset // 40)  # several partitions in one micro-batch
        reason = chance.choice([None] * 8 + [FACT, "malformed_json"])
        id_, content = (None, None) if reason else (f"m-{chance.randrange(60)}", chance.randrange(3))
        rows.append(("t", chance.randrange(3), offset, id_, content, arrived, reason))
    judged = transform(spark.createDataFrame(rows, f"{SCHEMA}").selectExpr("*", "cast(null as string) AS detail"))

    contents: dict[str, dict[int, Place]] = defaultdict(dict)
    for _, partition, offset, id_, content, *_ in sorted(
        (row for row in rows if row[6] is None), key=lambda row: (row[5], row[1], row[2])
    ):
        contents[id_].setdefault(content, (partition, offset))
    firsts = {next(iter(of_id.values())) for of_id in contents.values()}
    others = {place for of_id in contents.values() for place in of_id.values()} - firsts
    broken = {(row[1], row[2]) for row in rows if row[6] == "malformed_json"}
    assert others
    assert {(row["partition"], row["offset"]) for row in judged.accepted.collect()} == firsts
    assert {(row["partition"], row["offset"]) for row in judged.rejected.collect()} == others | broken


@pytest.fixture
def archived(lake: Lake, kafka: broker.RunningBroker) -> Lake:
    """A lake of some hundred messages of a shop, refused and repeated ones among them."""
    config = dataclasses.replace(lake.config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=TOPIC)
    lake = Lake(lake.spark, dataclasses.replace(lake.config, kafka=config))
    admin.create_topic(kafka, TOPIC, 2)
    send(lake)
    driver.drain(lake, STARTS)
    return lake


def send(lake: Lake) -> None:
    produce(Shop(400, 11).messages(), lake.config.kafka, TOPIC, on_progress=lambda sent: None)


def content(lake: Lake) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    held = lake.read(SILVER_EVENTS).select("message_id", "content_hash", "occurred_at", "actor_id", "revenue")
    refused = lake.read(SILVER_EVENTS_QUARANTINE).select("partition", "offset", "reason", "detail")
    return sorted(map(tuple, held.collect())), sorted(map(tuple, refused.collect()))


def test_a_silver_that_is_lost_comes_back_and_the_stream_takes_in_nothing_twice(archived: Lake) -> None:
    before = content(archived)
    for table in (SILVER_EVENTS, SILVER_EVENTS_QUARANTINE):
        shutil.rmtree(archived.path(table))
        archived.create(table)
    with refilling(archived.config):
        refill(archived)
        overwrite_profiles(archived)
    assert content(archived) == before
    send(archived)  # all of it again: nothing of it is new
    driver.drain(archived, STARTS)
    assert content(archived) == before
    assert check_declared(archived) == 0


def test_an_archive_that_ends_before_silver_is_refused(lake: Lake) -> None:
    lake.create_missing([BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE])
    schema = lake.read(SILVER_EVENTS_QUARANTINE).schema
    row = {"topic": "t", "partition": 1, "offset": 4, "reason": "r", "quarantined_at": datetime(2026, 1, 1)}
    held = lake.spark.createDataFrame([tuple(row.get(name) for name in schema.names)], schema)
    lake.overwrite(held, SILVER_EVENTS_QUARANTINE)
    with pytest.raises(LakeError, match=r"ends before silver, got offset 0 of topic 't', partition 1, expected 5"):
        refill(lake)
    assert lake.read(SILVER_EVENTS_QUARANTINE).count() == 1


def test_nobody_else_writes_after_a_refill_that_was_interrupted(lake: Lake) -> None:
    with pytest.raises(OSError, match="no space"), refilling(lake.config):
        raise OSError("no space")
    with pytest.raises(LakeError, match=r"was interrupted.* Run it again"), writer(lake.config):
        pass
    with writer(lake.config, refills=True), refilling(lake.config):
        pass
    with writer(lake.config):
        pass

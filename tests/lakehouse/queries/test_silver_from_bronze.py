"""What is made of the archive, and what is refused. That it is the silver which streaming made: tests/end_to_end/test_invariants.py."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import LakeError
from lakehouse.events.reasons import FACT
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import refilling, writer
from lakehouse.queries.silver_from_bronze import refill, transform
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

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

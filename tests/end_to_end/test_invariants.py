"""The product's promises, through a real broker, by compiled plans: nothing lost, nothing twice, batching, order, replay and crashes alike.

One lake has lived through all of it, since each whole run costs half a minute of CPU. Tests end in `rebuild --check`: the tables that streaming built
against a batch computation from silver.
"""

import dataclasses
import random
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame

from batch.rebuild import check_declared, overwrite_profiles
from lakehouse.demo.evaluation import pair_scores
from lakehouse.demo.shop import Shop
from lakehouse.errors import StitchlakeError
from lakehouse.events.reasons import ID_CONFLICT
from lakehouse.kafka import admin, broker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import refilling
from lakehouse.lake.transaction import Transaction
from lakehouse.models.registry import Champions
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import bronze_events, driver, events
from lakehouse.queries.silver_from_bronze import refill
from lakehouse.queries.unfinished import last_batch
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

EVENTS = 1_500
SEED = 11
TOPIC = "invariants"
STARTS = [events.start, bronze_events.start]


def reading(lake: Lake, kafka: broker.RunningBroker, records: int) -> Lake:
    """The lake as one that reads the topic, so many records at a time."""
    config = lake.config
    config = dataclasses.replace(
        config,
        kafka=dataclasses.replace(config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=TOPIC),
        profiles=dataclasses.replace(config.profiles, max_offsets_per_trigger=records),
    )
    return Lake(lake.spark, config)


class DiesAt(MicroBatch):
    """Dies before it has taken in the batch of that number, which silver has by then."""

    number = 1

    def __call__(self, leaves: DataFrame, once: Transaction, record: BatchRecord | None = None) -> None:
        if once.batch_id == self.number:
            raise OSError("no space left")
        super().__call__(leaves, once, record)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(EVENTS, SEED)


@pytest.fixture(scope="module")
def messages(shop: Shop) -> list[Message]:
    return list(shop.messages())


@pytest.fixture(scope="module")
def streamed(
    compiled: None, messages: list[Message], new_lake: Callable[[str], Lake], kafka: broker.RunningBroker
) -> Lake:
    """All is sent twice, shuffled, and read in small batches. One of them dies half taken in, and before it is replayed all is rebuilt."""
    twice = random.Random(SEED).sample(2 * messages, 2 * len(messages))
    admin.create_topic(kafka, TOPIC, 2)
    produce(twice, kafka, TOPIC, on_progress=lambda sent: None)
    lake = reading(new_lake("invariants"), kafka, 1100)
    driver.drain(lake, [bronze_events.start])
    with pytest.raises(StitchlakeError, match="query events: stopped"):
        driver.drain(lake, [events.start_with(DiesAt(lake, Champions(lake.config)))])
    half_taken = last_batch(lake, events.NAME)
    assert half_taken is not None
    assert half_taken.batch_id == DiesAt.number
    overwrite_profiles(lake)
    driver.drain(lake, STARTS)
    return lake


def test_order_batches_repeats_a_crash_and_a_rebuild_change_nothing(streamed: Lake, shop: Shop) -> None:
    assert check_declared(streamed) == 0
    assert streamed.read(BRONZE_EVENTS).count() == 2 * EVENTS
    reasons = streamed.read(SILVER_EVENTS_QUARANTINE).groupBy("reason").count()
    rejected = shop.truth.rejected()
    # Another content of an id is told once, every other fault where it stands.
    twice_each = {reason: 2 * count for reason, count in rejected.items() if reason != ID_CONFLICT}
    assert dict(map(tuple, reasons.collect())) == rejected | twice_each
    assert streamed.read(SILVER_EVENTS).count() == EVENTS - sum(rejected.values()) - shop.truth.duplicates
    assert streamed.read(GOLD_ACTIVATION).where("size(user_ids) > 1").isEmpty()
    found = streamed.read(SILVER_EVENTS).join(streamed.read(SILVER_IDENTITY_MAP), on="actor_id", how="inner").collect()
    scores = pair_scores(shop.truth, {row["message_id"]: row["profile_id"] for row in found})
    assert scores.reachable_recall >= 0.99


def content(lake: Lake) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    held = lake.read(SILVER_EVENTS).select("message_id", "content_hash", "occurred_at", "actor_id", "revenue")
    refused = lake.read(SILVER_EVENTS_QUARANTINE).select("partition", "offset", "reason", "detail")
    return sorted(map(tuple, held.collect())), sorted(map(tuple, refused.collect()))


def test_a_silver_that_is_lost_comes_back_and_the_stream_takes_in_nothing_twice(
    streamed: Lake, messages: list[Message], kafka: broker.RunningBroker
) -> None:
    held, refused = content(streamed)
    for table in (SILVER_EVENTS, SILVER_EVENTS_QUARANTINE):
        shutil.rmtree(streamed.path(table))
        streamed.create(table)
    with refilling(streamed.config):
        refill(streamed)
        overwrite_profiles(streamed)
    assert content(streamed) == (held, refused)
    produce(messages[:600], kafka, TOPIC, on_progress=lambda sent: None)
    driver.drain(streamed, STARTS)
    held_then, refused_then = content(streamed)
    assert held_then == held
    assert set(refused_then) > set(refused)
    assert check_declared(streamed) == 0

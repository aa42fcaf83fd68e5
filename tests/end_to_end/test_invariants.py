"""The product's promises, through a real broker: nothing lost, nothing twice, batching, order, replay and crashes alike.

Every test ends in `rebuild --check`: the tables that streaming built against a batch computation from silver.
"""

import dataclasses
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from batch.rebuild import check_declared, overwrite_profiles
from lakehouse.config import Config
from lakehouse.demo.evaluation import pair_scores
from lakehouse.demo.shop import Shop
from lakehouse.errors import StitchlakeError
from lakehouse.kafka import admin, broker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.models.registry import Champions
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import bronze_events, driver, events
from lakehouse.queries.unfinished import last_batch
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

EVENTS = 2_500
SEED = 11

Send = Callable[[Iterable[Message]], Lake]


@pytest.fixture
def shop() -> Shop:
    return Shop(EVENTS, SEED)


@pytest.fixture
def send(lake: Lake, kafka: broker.RunningBroker) -> Send:
    """Sends messages to a topic of the test's own; gives the lake that reads it."""

    def _send(messages: Iterable[Message]) -> Lake:
        topic = Path(lake.root).parent.name  # pytest's folder is named after the test
        admin.create_topic(kafka, topic, 2)
        produce(messages, kafka, topic, on_progress=lambda sent: None)
        return Lake(lake.spark, _reading(lake.config, kafka.bootstrap_servers, topic))

    return _send


def _reading(config: Config, bootstrap_servers: str, topic: str) -> Config:
    kafka = dataclasses.replace(config.kafka, bootstrap_servers=bootstrap_servers, events_topic=topic)
    return dataclasses.replace(config, kafka=kafka)


def in_batches_of(lake: Lake, records: int) -> Lake:
    config = lake.config
    return Lake(
        lake.spark,
        dataclasses.replace(
            config,
            profiles=dataclasses.replace(config.profiles, max_offsets_per_trigger=records),
        ),
    )


STARTS = [events.start, bronze_events.start]


def drain(lake: Lake) -> None:
    driver.drain(lake, STARTS)


def test_many_small_batches_give_what_one_computation_from_silver_gives(shop: Shop, send: Send) -> None:
    lake = in_batches_of(send(shop.messages()), 900)
    drain(lake)
    assert check_declared(lake) == 0
    assert lake.read(BRONZE_EVENTS).count() == EVENTS
    reasons = {r["reason"]: r["count"] for r in lake.read(SILVER_EVENTS_QUARANTINE).groupBy("reason").count().collect()}
    assert reasons == shop.truth.rejected()
    assert lake.read(SILVER_EVENTS).count() == EVENTS - sum(reasons.values()) - shop.truth.duplicates
    several = lake.read(GOLD_ACTIVATION).where("size(user_ids) > 1").count()
    assert several == 0
    profile_of = {
        row["message_id"]: row["profile_id"]
        for row in lake.read(SILVER_EVENTS).join(lake.read(SILVER_IDENTITY_MAP), on="actor_id", how="inner").collect()
    }
    scores = pair_scores(shop.truth, profile_of)
    assert scores.reachable_recall >= 0.99


def test_a_topic_sent_twice_and_shuffled_changes_nothing_however_late_its_events_come(shop: Shop, send: Send) -> None:
    messages = [*shop.messages(), *shop.messages()]
    random.Random(SEED).shuffle(messages)
    lake = in_batches_of(send(messages), 1800)
    drain(lake)
    assert check_declared(lake) == 0
    assert lake.read(BRONZE_EVENTS).count() == 2 * EVENTS
    accepted = EVENTS - sum(shop.truth.rejected().values()) - shop.truth.duplicates
    assert lake.read(SILVER_EVENTS).count() == accepted


class DiesAt(MicroBatch):
    """Dies before it has taken in the batch of that number, which silver has by then."""

    number = 1

    def __call__(self, leaves: DataFrame, once: Transaction, record: BatchRecord | None = None) -> None:
        if once.batch_id == self.number:
            raise OSError("no space left")
        super().__call__(leaves, once, record)


def test_a_rebuild_between_a_crash_and_the_replay_counts_the_batch_once(shop: Shop, send: Send) -> None:
    lake = in_batches_of(send(shop.messages()), 900)
    driver.drain(lake, [bronze_events.start])
    champions = Champions(lake.config)
    with pytest.raises(StitchlakeError, match="query events: stopped"):
        driver.drain(lake, [events.start_with(DiesAt(lake, champions))])
    half_taken = last_batch(lake, events.NAME)
    assert half_taken is not None
    assert half_taken.batch_id == DiesAt.number
    overwrite_profiles(lake)
    drain(lake)
    assert check_declared(lake) == 0

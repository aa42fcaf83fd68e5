"""The product's promises, through a real broker: nothing lost, nothing twice, batching, order, replay and crashes alike.

Every test ends in `rebuild --check`: the tables that streaming built against a batch computation from silver.
"""

import dataclasses
import random
import shutil
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import pytest

from batch.rebuild import check
from lakehouse.config import Config
from lakehouse.demo.evaluation import pair_scores
from lakehouse.demo.shop import Shop
from lakehouse.kafka import broker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch, utc_now
from lakehouse.profiles.rebuild import rebuild
from lakehouse.profiles.repair import reconcile
from lakehouse.queries import bronze_events, driver, profiles, silver_events
from lakehouse.queries.driver import start_all
from lakehouse.queries.late_events import LateEvents
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests.end_to_end.killed_driver import kill_in_the_middle

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
        broker.create_topic(kafka.bootstrap_servers, topic, 2)
        produce(messages, kafka.bootstrap_servers, topic, on_progress=lambda sent: None)
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
            silver_events=dataclasses.replace(config.silver_events, max_offsets_per_trigger=records),
        ),
    )


STARTS = [profiles.start, bronze_events.start, silver_events.start]


def drain(lake: Lake) -> None:
    driver.drain(lake, STARTS)


def test_many_small_batches_give_what_one_computation_from_silver_gives(shop: Shop, send: Send) -> None:
    lake = in_batches_of(send(shop.messages()), 900)
    drain(lake)
    assert check(lake) == 0
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


def test_a_topic_sent_twice_changes_nothing(shop: Shop, send: Send) -> None:
    lake = send(chain(shop.messages(), shop.messages()))
    drain(lake)
    assert check(lake) == 0
    assert lake.read(BRONZE_EVENTS).count() == 2 * EVENTS
    accepted = EVENTS - sum(shop.truth.rejected().values()) - shop.truth.duplicates
    assert lake.read(SILVER_EVENTS).count() == accepted


def test_a_shuffled_topic_is_right_by_itself_and_by_reconciling(shop: Shop, send: Send) -> None:
    messages = list(shop.messages())
    random.Random(SEED).shuffle(messages)
    lake = in_batches_of(send(messages), 900)
    queries = start_all(lake, STARTS, available_now=True)
    await_all(lake, queries)
    untouched = Path(f"{lake.root}-reconciled")
    shutil.copytree(lake.root, untouched)
    late = LateEvents(lake, queries[0], queries[2], lambda: profiles.new_micro_batch(lake))
    assert late.take_in() > 0
    assert late.take_in() == 0
    assert check(lake) == 0
    config = dataclasses.replace(lake.config, lake=dataclasses.replace(lake.config.lake, root=str(untouched)))
    lake = Lake(lake.spark, config)
    champions = Champions(lake.config)
    reconcile(
        lake,
        rebuild(lake, champions, now=utc_now(), keep_as_of=True),
        MicroBatch(lake, champions),
        now=utc_now(),
    )
    assert check(lake) == 0


def test_a_driver_killed_in_the_middle_loses_and_repeats_nothing(shop: Shop, send: Send) -> None:
    lake = in_batches_of(send(shop.messages()), 500)
    kill_in_the_middle(lake, 500)
    drain(lake)
    assert check(lake) == 0
    assert lake.read(BRONZE_EVENTS).count() == EVENTS

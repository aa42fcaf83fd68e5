"""The lane against a real broker: Real-Time Mode, rules changed while it runs, and micro-batches from the same checkpoint."""

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import yaml
from kafka import KafkaConsumer, KafkaProducer
from pyspark.sql import SparkSession

from lakehouse.config import Config
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.kafka import admin, topics
from lakehouse.kafka.broker import RunningBroker
from lakehouse.lane import query
from lakehouse.lane.lane_rules import lane_rules, text_version
from lakehouse.lane.query import LaneRules
from lakehouse.lane.query_keeper import QueryKeeper

RULE = {"owner": "crm", "effect": "force", "offer": "x", "events": ["Product Viewed"]}


class Topics:
    """Sends views and waits for candidates."""

    def __init__(self, config: Config) -> None:
        self.config = config
        servers = config.kafka.bootstrap_servers
        self.producer = KafkaProducer(bootstrap_servers=servers)
        self.consumer = KafkaConsumer(
            config.decisions.topic, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False
        )
        self.told: list[dict[str, Any]] = []

    def view(self, message_id: str) -> None:
        message = {"messageId": message_id, "type": "track", "event": "Product Viewed", "anonymousId": "ana"}
        properties = {"properties": {"price": 60}}
        self.producer.send(self.config.kafka.events_topic, orjson.dumps(message | properties)).get(10)

    def has(self, is_there: Callable[[dict[str, Any]], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(map(is_there, self.told)):
                return True
            for records in self.consumer.poll(timeout_ms=100).values():
                self.told += [orjson.loads(record.value) for record in records]
        return False

    def close(self) -> None:
        self.producer.close()
        self.consumer.close()


@pytest.fixture
def lane_config(kafka: RunningBroker, config: Config) -> Config:
    name = f"lane-{uuid4().hex[:8]}"
    config = dataclasses.replace(
        config,
        kafka=dataclasses.replace(config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=name),
        decisions=dataclasses.replace(config.decisions, topic=f"{name}-decisions"),
    )
    for topic in (name, config.decisions.topic):
        admin.create_topic(kafka, topic, 1)
    assert admin.partitions(kafka, topics.Topics((name,))) == 1
    return config


def write(path: Path, when: str) -> None:
    path.write_text(yaml.safe_dump({"rules": [RULE | {"name": "dear", "when": when}]}))


def test_candidates_in_milliseconds_rules_in_seconds_and_micro_batches_by_one_setting(
    spark: SparkSession, lane_config: Config, tmp_path: Path
) -> None:
    rules, checkpoint, config = tmp_path / "rules.yaml", str(tmp_path / "checkpoint"), lane_config
    write(rules, "price >= 50")

    def lane() -> QueryKeeper:
        def start(lane_rules_: LaneRules) -> Any:
            return query.start(spark, config, checkpoint, lane_rules_, now=datetime.now(UTC), partitions=1)

        return QueryKeeper(version=lambda: text_version(rules), read=lambda: lane_rules(rules), start=start)

    topics = Topics(config)
    running = lane()
    first_version = lane_rules(rules).version
    views = iter(range(10_000))

    def told_of_another(version: str) -> None:
        """Sends until one is told: what comes before the first start is told to nobody."""
        sent = set()
        for _ in range(60):
            sent.add(message_id := f"m{next(views)}")
            topics.view(message_id)
            if topics.has(lambda one: one["rules_version"] == version and one["message_id"] in sent, 1):
                return
        raise AssertionError(f"never told: {running.query.status} {running.query.exception()}")

    told_of_another(first_version)
    topics.view("warm")
    assert topics.has(lambda one: one["message_id"] == "warm", 1.0)  # how long it takes is the benchmark's to say

    assert running.look() is False
    rules.write_text("rules: [{name: dear}]")
    assert running.look() is False  # faulty: what was there stays in force, told once
    assert running.query.isActive
    write(rules, "price >= 55")
    assert running.look() is True
    told_of_another(lane_rules(rules).version)

    running.query.stop()
    config = dataclasses.replace(config, decisions=dataclasses.replace(config.decisions, mode="micro_batch"))
    running = lane()
    told_of_another(lane_rules(rules).version)
    running.query.stop()
    ids = {(one["rule"], one["message_id"]): one["decision_id"] for one in topics.told}
    assert all(ids[one["rule"], one["message_id"]] == one["decision_id"] for one in topics.told)  # repeats are the same
    topics.close()


def test_too_few_task_slots_are_told_and_faulty_rules_do_not_start(
    spark: SparkSession, lane_config: Config, tmp_path: Path
) -> None:
    rules = LaneRules(rules=[], version="v")
    with pytest.raises(StitchlakeError, match="cores"):
        query.start(spark, lane_config, str(tmp_path), rules, now=datetime.now(UTC), partitions=99)
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{name: dear}]")
    with pytest.raises(ConfigError):
        QueryKeeper(
            version=lambda: text_version(path), read=lambda: lane_rules(path), start=lambda _: pytest.fail("started")
        )

"""Nothing is sent while events wait to be read: a real topic, and the checkpoint of a query as Spark writes it."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.errors import BrokerError, DestinationAwayError
from lakehouse.exports import heard
from lakehouse.exports.heard import Hearing
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.machine import free_port
from tests.lakehouse.exports.shop import NOW, Shop, adds_up, person

TOPIC = "heard"


def finished(lake: Path, batch: int, offset: int, topic: str = TOPIC) -> None:
    """A micro-batch that read the one partition so far."""
    for folder in ("offsets", "commits"):
        (lake / "_checkpoints" / "events" / folder).mkdir(parents=True, exist_ok=True)
    text = f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps({topic: {"0": offset}})}'
    (lake / "_checkpoints" / "events" / "offsets" / str(batch)).write_text(text)
    (lake / "_checkpoints" / "events" / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')


def test_a_run_waits_for_what_was_said_before_it(tmp_path: Path, kafka: RunningBroker) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.csv", mode="mirror")
    one.config = dataclasses.replace(
        one.config,
        kafka=dataclasses.replace(one.config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=TOPIC),
    )
    admin.create_topic(one.config.kafka, TOPIC, 1)
    said = [Message(b"k", b"{}", datetime.now(UTC))] * 3
    produce(said, one.config.kafka, TOPIC, on_progress=lambda _: None)
    one.people(person("ann"))
    finished(one.lake, 0, 2)
    with pytest.raises(DestinationAwayError, match="1 records wait to be read"):
        one.run()
    assert not (tmp_path / "out").exists()
    assert one.run(is_tried=True).counts["to_send"] == 1

    def catches_up(_: float) -> None:
        one.people(person("ann", consent_marketing=False), person("bob"))
        finished(one.lake, 1, 3)

    assert one.run(sleep=catches_up).counts["withheld"] == 1
    assert set(one.ledger()) == {"bob"}


def test_while_words_wait_whoever_withdrew_goes_and_nobody_else_is_told_of(
    tmp_path: Path, kafka: RunningBroker
) -> None:
    topic = "heard_too"
    one = Shop(tmp_path, {"kind": "topic", "topic": "heard_people"}, mode="mirror", is_continuous=True)
    servers = kafka.bootstrap_servers
    one.config = dataclasses.replace(
        one.config, kafka=dataclasses.replace(one.config.kafka, bootstrap_servers=servers, events_topic=topic)
    )
    admin.create_topic(one.config.kafka, topic, 1)
    one.people(person("ann"), person("bob"))
    one.changed("ann", "bob")
    finished(one.lake, 0, 0, topic)
    follower = one.follower()
    follower.step()
    follower.close()
    assert set(one.ledger()) == {"ann", "bob"}
    produce([Message(b"k", b"{}", datetime.now(UTC))], one.config.kafka, topic, on_progress=lambda _: None)
    one.now += timedelta(minutes=1)
    one.people(person("ann", "new"), person("bob", is_suppressed=True), person("cat"))
    one.changed("ann", "bob", "cat")
    follower.step()
    follower.close()
    assert set(one.ledger()) == {"ann"}, "bob is gone, and cat waits"
    finished(one.lake, 1, 1, topic)
    one.now += timedelta(seconds=5)
    follower.step()
    follower.close()
    assert one.ledger() == dict.fromkeys(("ann", "cat"), ("delivered", True))
    assert all(adds_up(run) for run in one.runs())
    assert [run["unsent"] for run in one.runs()] == [0, 2, 0]


def test_a_clock_that_is_set_back_makes_nothing_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, there = [NOW], {"events": {"0": 1}}
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path)}, into="people.csv", mode="mirror")
    monkeypatch.setattr(heard, "_ends", lambda _: there)
    hearing = Hearing(one.lake, one.config.kafka, lambda: now[0])
    finished(one.lake, 0, 1, "events")
    hearing.note()
    assert hearing.is_heard()
    there = {"events": {"0": 5}}
    now[0] = NOW - timedelta(hours=1)
    assert not hearing.is_heard(), "what was heard an hour ahead says nothing of now"
    finished(one.lake, 1, 5, "events")
    now[0] += timedelta(seconds=3)
    assert hearing.is_heard()


def test_a_broker_that_is_away_cannot_say_what_was_said(tmp_path: Path) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.csv", mode="mirror")
    servers = f"127.0.0.1:{free_port()}"
    one.config = dataclasses.replace(one.config, kafka=dataclasses.replace(one.config.kafka, bootstrap_servers=servers))
    one.people(person("ann"))
    assert one.run().counts["delivered"] == 1, "no query ever kept this lake"
    finished(one.lake, 0, 2)
    with pytest.raises(BrokerError, match="nobody knows what people said last"):
        one.run()

"""The background process against a real broker, HTTP server and SMTP server: from an event to what a person gets."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import orjson
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake
from kafka import KafkaConsumer, KafkaProducer

from lakehouse import broker
from lakehouse.broker import RunningBroker
from lakehouse.config import Config, load
from lakehouse.events.identifiers import resolve
from lakehouse.files import OFFERS, TEMPLATES
from lakehouse.machine import wait_until
from lakehouse.online_store import open_store, store_url
from serving.background import Background, Files, utc_now
from tests.lakehouse.actions.servers import Hook, Mailbox, http_server, smtp_server
from tests.online_people import person, put

CART = {
    **{"name": "abandoned_cart", "owner": "crm", "kind": "abandoned_cart", "after": "1 s"},
    **{"offer": "first_order_offer", "destinations": ["crm", "letters"]},
}


@dataclasses.dataclass(kw_only=True)
class Place:
    config: Config
    files: Files
    hook: Hook
    mailbox: Mailbox
    producer: Any

    def send(self, event: str, visitor: str, **more: Any) -> str:
        message = {"messageId": uuid4().hex, "type": "track", "event": event, "anonymousId": visitor, **more}
        self.producer.send(self.config.kafka.events_topic, orjson.dumps(message)).get(10)
        return str(message["messageId"])

    def names(self) -> list[str]:
        """Visitors the webhook was called for."""
        return [body["identifiers"][0]["token"] for _, body in self.hook.calls]


@pytest.fixture
def place(kafka: RunningBroker, tmp_path: Path) -> Iterator[Place]:
    config = load("dev", environ={})
    name = f"background-{uuid4().hex[:8]}"
    config = dataclasses.replace(
        config,
        lake=dataclasses.replace(config.lake, root=str(tmp_path / "lake")),
        kafka=dataclasses.replace(config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=name),
        actions=dataclasses.replace(
            config.actions, topic=f"{name}-a", dead_topic=f"{name}-d", quiet_to=config.actions.quiet_from
        ),
    )
    for topic in (name, config.actions.topic, config.actions.dead_topic):
        broker.create_topic(kafka.bootstrap_servers, topic, 1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    with http_server() as hook, smtp_server() as mailbox:
        files = Files(
            moments=tmp_path / "moments.yaml",
            destinations=tmp_path / "destinations.yaml",
            offers=OFFERS,
            templates=TEMPLATES,
        )
        files.moments.write_text(yaml.safe_dump({"moments": [CART]}))
        crm = {"name": "crm", "kind": "webhook", "url": hook.url, "allow_private": True}
        letters = {
            **{"name": "letters", "kind": "email", "host": "127.0.0.1", "port": mailbox.port, "security": "none"},
            **{"allow_private": True, "sender": "Shop <shop@example.com>"},
        }
        files.destinations.write_text(yaml.safe_dump({"destinations": [crm, letters]}))
        yield Place(config=config, files=files, hook=hook, mailbox=mailbox, producer=producer)
    producer.close()


@contextmanager
def running(place: Place) -> Iterator[Background]:
    background = Background(place.config, place.files, {}, utc_now)
    stopped = Event()
    thread = Thread(target=background.run, args=(stopped,), daemon=True)
    thread.start()
    try:
        yield background
    finally:
        stopped.set()
        thread.join(30)
        assert not thread.is_alive()


def know_ana(place: Place) -> None:
    """A profile with an address, in the online store and in the lake."""
    token = resolve("email", "ana@example.com", place.config)
    assert token is not None
    store = open_store(store_url(place.config))
    put(store, person("p-ana", [("anonymous_id", "ana"), ("user_id", "u-ana"), ("email", token)]))
    store.close()
    silver, seen_at = Path(place.config.lake.root) / "silver", datetime.now(UTC)
    trait = {"actor_id": "a", "trait": "email", "value": "ana@example.com", "seen_at": seen_at}
    write_deltalake(silver / "personal_traits", pa.Table.from_pylist([trait]))
    member = {"actor_id": "a", "profile_id": "p-ana", "resolved_at": seen_at}
    write_deltalake(silver / "identity_map", pa.Table.from_pylist([member]))


def test_an_abandoned_cart_becomes_a_call_and_a_letter_once_and_only_where_it_may(place: Place) -> None:
    know_ana(place)
    refused = {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
    with running(place):
        place.send("Product Added", "ana", properties={"product_id": "<b>kit</b>"})
        place.send("Product Added", "silent", properties={"product_id": "p2"}, **refused)
        place.send("Product Added", "buyer", properties={"product_id": "p3"})
        place.producer.send(place.config.kafka.events_topic, b"\xff no json").get(10)
        place.send("Order Completed", "buyer", properties={"order_id": "o1"})
        sent_at = time.time()
        assert wait_until(lambda: bool(place.hook.calls and place.mailbox.letters), 60)
        seconds = time.time() - sent_at - 1
    assert seconds < 5  # after it was due
    with running(place):  # what was done is not done again
        place.send("Product Added", "later", properties={"product_id": "p4"})
        assert wait_until(lambda: "later" in place.names(), 60)
    assert place.names() == ["ana", "later"]
    ((to, letter),) = place.mailbox.letters
    assert to == ["ana@example.com"]
    assert b"&lt;b&gt;kit" in letter
    assert b"SHIPFREE" in letter
    assert place.hook.calls[0][1]["profile_id"] == "p-ana"
    assert place.hook.calls[0][1]["offer"]["content"]["code"] == "SHIPFREE"


def test_what_was_queued_while_nobody_ran_is_done_and_what_cannot_be_is_told(place: Place) -> None:
    now = int(time.time() * 1000)
    action = {
        **{"decision_id": "rule1", "destination": "crm", "cause": "rule", "name": "second_view"},
        **{"identifiers": [["anonymous_id", "bo"]], "purpose": "personalization"},
        **{"created_ms": now, "expires_ms": now + 600_000},
    }
    for value in (orjson.dumps(action), orjson.dumps(action), orjson.dumps(action | {"destination": "gone"}), b"?"):
        place.producer.send(place.config.actions.topic, value).get(10)
    with running(place) as background:
        assert wait_until(lambda: bool(place.hook.calls), 60)
        assert wait_until(lambda: orjson.loads(background.status())["destinations"]["crm"]["sent"] == 1, 60)
    assert len(place.hook.calls) == 1
    consumer = KafkaConsumer(
        place.config.actions.dead_topic,
        bootstrap_servers=place.config.kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3000,
    )
    reasons = [orjson.loads(next(consumer).value)["reason"] for _ in range(2)]
    consumer.close()
    assert reasons[0] == "no such destination"
    assert reasons[1].startswith("action: no JSON")


def test_the_process_says_ready_ends_at_once_when_told_and_leaves_one_line_of_json(place: Place) -> None:
    config = place.config
    environ = os.environ | {
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
        "STITCHLAKE__ACTIONS__TOPIC": config.actions.topic,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.background"], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    told = json.loads(process.stdout.read())
    process.stdout.close()
    assert told["destinations"] == {"journal": {"sent": 0, "retried": 0, "suppressed": 0, "failed": 0}}
    assert told["faults"] == {}

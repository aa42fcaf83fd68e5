"""The background process on a broker, a webhook, a mailbox and files of the test's own: the fixture `place`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import orjson
import pytest
import yaml
from kafka import KafkaConsumer, KafkaProducer

from lakehouse.config import Config, load
from lakehouse.config.paths import OFFERS, TEMPLATES
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.online.engines import open_store, store_url
from serving.background.__main__ import Background, Files, utc_now
from tests.benchmarks.visitors import mark_filled
from tests.lakehouse.actions.servers import Hook, Mailbox, http_server, smtp_server

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

    def tell(self, topic: str, value: bytes) -> None:
        self.producer.send(topic, value).get(10)

    def values(self, topic: str) -> list[bytes]:
        """Everything the topic holds."""
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=self.config.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
            consumer_timeout_ms=1500,
        )
        found = [record.value for record in consumer]
        consumer.close()
        return found

    def fill_store(self) -> None:
        """From now on who is not found is nobody."""
        store = open_store(store_url(self.config))
        mark_filled(store)
        store.close()

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
        decisions=dataclasses.replace(config.decisions, topic=f"{name}-c", mode="micro_batch"),
        decision_log=dataclasses.replace(config.decision_log, topic=f"{name}-l"),
    )
    topics = (config.decisions.topic, config.decision_log.topic, config.actions.topic, config.actions.dead_topic)
    for topic in (name, *topics):
        admin.create_topic(kafka, topic, 1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    with http_server() as hook, smtp_server() as mailbox:
        files = Files(
            moments=tmp_path / "moments.yaml",
            destinations=tmp_path / "destinations.yaml",
            offers=tmp_path / "offers.yaml",
            templates=TEMPLATES,
            rules=tmp_path / "rules.yaml",
        )
        files.moments.write_text(yaml.safe_dump({"moments": [CART]}))
        offers = yaml.safe_load(OFFERS.read_text())["offers"]
        awake = [{name: value for name, value in one.items() if name != "quiet_hours"} for one in offers]
        files.offers.write_text(yaml.safe_dump({"offers": awake}))  # so that no test depends on the time of day
        files.rules.write_text(yaml.safe_dump({"rules": []}))
        crm = {"name": "crm", "kind": "webhook", "url": hook.url, "allow_private": True}
        letters = {
            **{"name": "letters", "kind": "email", "host": "127.0.0.1", "port": mailbox.port, "security": "none"},
            **{"allow_private": True, "sender": "Shop <shop@example.com>"},
        }
        files.destinations.write_text(yaml.safe_dump({"destinations": [crm, letters]}))
        place = Place(config=config, files=files, hook=hook, mailbox=mailbox, producer=producer)
        place.fill_store()
        yield place
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

"""What can be bought: here at once, in Kafka before the answer, and told by nobody but this route."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import Config
from lakehouse.events.envelope import FACTS
from lakehouse.events.facts import Availability, read
from lakehouse.kafka import admin
from lakehouse.online.fact_documents import document
from tests.serving.conftest import Start, filled
from tests.serving.topic_values import values


def told(api: Any, *product_ids: str, is_available: bool = False) -> Any:
    return api.post("/api/products", json={"product_ids": product_ids, "is_available": is_available})


def heard(config: Config) -> list[Any]:
    found = [orjson.loads(value) for value in values(config.kafka.bootstrap_servers, config.kafka.events_topic)]
    return [read(message) for message in found if message["type"] in FACTS]


def test_kafka_has_every_product_before_the_answer(serving_config: Config, start: Start) -> None:
    kafka = dataclasses.replace(serving_config.kafka, events_topic="stock-heard")
    config = dataclasses.replace(serving_config, kafka=kafka)
    admin.create_topic(kafka, kafka.events_topic, 1)
    api, service = start(config)
    assert told(api, "a", "b", "a").json() == {"product_ids": ["a", "b", "a"], "is_available": False}
    assert told(api, "b", is_available=True).status_code == 200
    facts = [fact for fact in heard(config) if isinstance(fact, Availability)]
    assert [(fact.product_id, fact.is_available) for fact in facts] == [("a", False), ("b", False), ("b", True)]
    assert service.stock.unavailable == {"a"}


def test_without_a_broker_it_holds_here_and_is_to_be_sent_again(serving_config: Config, start: Start) -> None:
    nobody = dataclasses.replace(serving_config.kafka, bootstrap_servers="127.0.0.1:1")
    api, service = start(dataclasses.replace(serving_config, kafka=nobody), connected=False)
    answer = told(api, "a")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert service.stock.unavailable == {"a"}


def test_an_emptied_store_that_is_filled_from_the_lake_knows_it_again(
    serving_config: Config, start: Start, tmp_path: Path
) -> None:
    api, service = start(serving_config)
    told(api, "a")
    api.__exit__(None, None, None)
    for folder in (tmp_path / "online", tmp_path / "online_kept"):
        shutil.rmtree(folder)
    filled(serving_config.online_store.url)
    _, service = start(serving_config)
    assert service.stock.unavailable == frozenset()
    service.kept.put([document(Availability(product_id="a", is_available=False, at_ms=1))])  # as fill_facts does
    service.stock.read()
    assert service.stock.unavailable == {"a"}


@pytest.mark.parametrize("type_", [*FACTS, f" {FACTS[0]} "])
def test_no_caller_of_the_collector_can_forge_a_fact(serving_config: Config, start: Start, type_: str) -> None:
    api, _ = start(serving_config)
    forged = {"type": type_, "userId": "ana", "properties": {"product_id": "a", "is_available": False}}
    batch = {"batch": [forged, {"type": "track", "event": "View", "userId": "ana"}]}
    answer = api.post("/v1/batch", json=batch, auth=("dev", "")).json()
    assert (answer["acknowledged"], answer["refused"][0]["index"]) == (1, 0)
    asked = {"identifier": {"type": "user_id", "value": "ana"}, "events": [forged | {"event": "x"}]}
    assert api.post("/api/decide", json=asked).status_code == 422

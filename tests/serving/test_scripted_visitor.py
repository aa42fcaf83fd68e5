"""One visitor, scripted, over real HTTP, WebSocket and Kafka, with the stream's lane running: what they do counts at once."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaConsumer
from websockets.sync.client import ClientConnection, connect

from lakehouse.config import Config
from lakehouse.config.paths import RULES
from lakehouse.lake.delta import Lake
from lakehouse.lane import query
from lakehouse.lane.lane_rules import lane_rules
from tests.serving.served import PATIENCE_SECONDS, ask, serving, until

VISITOR = "a-scripted"
WHO = {"identifier": {"type": "anonymous_id", "value": VISITOR}}


@pytest.fixture
def served(serving_config: Config) -> Iterator[str]:
    with serving(serving_config) as (address, _):
        yield address


def recommended(address: str, **more: Any) -> list[str]:
    answer = ask(address, "/api/personalized-recommendations", WHO | {"count": 10} | more)
    assert not answer["degraded"], answer["degraded_because"]
    return [item["product_id"] for item in answer["items"]]


def track(address: str, event: str, **properties: Any) -> None:
    body = {"anonymousId": VISITOR, "event": event, "properties": properties}
    assert ask(address, "/v1/track", body, key="dev")["acknowledged"] == 1


def pushed(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(socket.recv(timeout=PATIENCE_SECONDS)))


@pytest.mark.slow
def test_what_a_visitor_does_counts_from_the_next_decision_on(served: str, lake: Lake, serving_config: Config) -> None:
    lake.config = dataclasses.replace(
        serving_config, decisions=dataclasses.replace(serving_config.decisions, mode="micro_batch")
    )
    running = query.start(
        lake.spark, lake.config, lake.checkpoint("decisions"), lane_rules(RULES), now=datetime.now(UTC), partitions=1
    )
    try:
        until(lambda: running.lastProgress is not None)
        _script(served, serving_config.kafka.bootstrap_servers, serving_config.kafka.events_topic)
    finally:
        running.stop()


def _script(served: str, servers: str, topic: str) -> None:
    # A view changes the next recommendation.
    before = recommended(served)
    track(served, "Product Viewed", product_id=before[-1], category="kitchen", price=80)
    after = recommended(served)
    assert after != before
    assert before[-1] not in after
    # An event inside the question counts in its own answer, and is in Kafka.
    inside = {"event": "Product Viewed", "messageId": "inside-1", "properties": {"product_id": after[0], "price": 75}}
    with connect(served.replace("http", "ws") + f"/ws?identifier_type=anonymous_id&value={VISITOR}") as socket:
        answer = ask(served, "/api/personalized-recommendations", WHO | {"events": [inside], "explain": True})
        assert answer["events"] == {"received": 1, "acknowledged": 1}
        assert [item["product_id"] for item in answer["items"]] != after
        # The second view of a costly product is a rule of the stream: pushed while they look.
        decision = pushed(socket)
        assert (decision["offer"], decision["reason"]) == ("price_drop", "rule second_view_of_a_product")
        # A purchase takes the product out.
        wanted = recommended(served)[0]
        track(served, "Order Completed", order_id="o-1", revenue=20, products=[{"product_id": wanted, "price": 20}])
        assert wanted not in recommended(served, count=100)
        # Sold out: nobody is shown it.
        sold_out = recommended(served)[0]
        ask(served, "/api/products", {"product_ids": [sold_out], "is_available": False})
        assert sold_out not in recommended(served, count=100)
        # A withdrawal silences every channel from the next decision on.
        assert ask(served, "/api/decide", WHO)["action"] != "none"
        denied = {"analytics": False, "personalization": False, "marketing": False}
        withdrawal = {"anonymousId": VISITOR, "traits": {}, "context": {"consent": {"categoryPreferences": denied}}}
        ask(served, "/v1/identify", withdrawal, key="dev")
        for channel in ("web", "push", "email", "webhook"):
            answer = ask(served, "/api/decide", WHO | {"context": {"channel": channel}})
            assert (answer["action"], answer["offers"]) == ("none", [])
        reasons = ask(served, "/api/personalized-recommendations", WHO)["items"]
        assert {item["reason"] for item in reasons} <= {"popular", "new_arrival"}
        listened = ask(served, "/api/status")["pushed"]
        track(served, "Product Viewed", product_id=before[0], price=90)
        until(lambda: _read(servers, topic, before[0]))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=3)
        assert ask(served, "/api/status")["pushed"] == listened
    # The record is Kafka's, each event once.
    messages = [json.loads(value) for value in _values(servers, topic)]
    assert sum(message["messageId"] == "inside-1" for message in messages) == 1
    assert next(message for message in messages if message["messageId"] == "inside-1")["anonymousId"] == VISITOR


def _read(servers: str, topic: str, product_id: str) -> bool:
    return any(
        json.loads(value).get("properties", {}).get("product_id") == product_id for value in _values(servers, topic)
    )


def _values(servers: str, topic: str) -> list[bytes]:
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=1500)
    found = [record.value for record in consumer]
    consumer.close()
    return found

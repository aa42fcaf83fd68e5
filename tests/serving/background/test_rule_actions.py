"""A rule decided in the lane reaches its destinations through the queue: once, and only where it may."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from kafka import KafkaProducer

from lakehouse.config import Config
from lakehouse.decisions.visitor import suppression_key
from lakehouse.lake.delta import Lake
from lakehouse.lane import query
from lakehouse.lane.lane_rules import lane_rules
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.store import Document
from tests.online_people import person, put
from tests.serving.conftest import Start
from tests.serving.place import Place, running

RULE = {
    **{
        "name": "costly_cart",
        "owner": "crm",
        "when": "event_name = 'Product Added' and price >= 50",
        "effect": "force",
    },
    **{"offer": "free_shipping", "events": ["Product Added"], "destinations": ["crm"], "caps": {"per_day": 1}},
}
PATIENCE = 30


def write_rules(place: Place, *rules: dict[str, Any]) -> None:
    place.files.rules.write_text(yaml.safe_dump({"rules": list(rules)}))
    place.files.moments.write_text(yaml.safe_dump({"moments": []}))


def candidate(visitor: str, decision_id: str = "", **changes: Any) -> bytes:
    """As the lane tells it: lakehouse/lane/candidate.py."""
    told = {
        **{"decision_id": decision_id or f"d-{visitor}", "rule": "costly_cart", "message_id": f"m-{visitor}"},
        **{"identifiers": [["anonymous_id", visitor]], "event_type": "track", "event_name": "Product Added"},
        **{"product_id": "kit-001", "price": 80.0, "occurred_at": int(datetime.now(UTC).timestamp() * 1000)},
    }
    return orjson.dumps(told | changes)


def tell(place: Place, *candidates: bytes) -> None:
    for one in candidates:
        place.tell(place.config.decisions.topic, one)


def queued(place: Place) -> list[str]:
    return [orjson.loads(value)["decision_id"] for value in place.values(place.config.actions.topic)]


def test_one_call_however_often_the_lane_tells_it_and_none_where_it_must_not_be(place: Place) -> None:
    write_rules(place, RULE)
    store = open_store(store_url(place.config))
    put(store, person("p-no", [("anonymous_id", "refused"), ("user_id", "u")], consent_marketing=False))
    store.close()
    kept = open_kept_store(place.config)
    kept.put([Document(suppression_key(("anonymous_id", "left")), 1, b"1")])
    kept.close()
    long_ago = int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000)
    silent = [
        candidate("refused"),
        candidate("left"),
        candidate("old", occurred_at=long_ago),
        candidate("poor", price=9),
    ]
    with running(place):
        tell(place, *silent, candidate("x", rule="nonesuch"), b"?", candidate("ana"), candidate("ana"), candidate("bo"))
        assert wait_until(lambda: len(place.hook.calls) == 2, PATIENCE)
    with running(place):
        tell(place, candidate("ana"), candidate("zed"))
        assert wait_until(lambda: "zed" in place.names(), PATIENCE)
    assert place.names() == ["ana", "bo", "zed"]
    headers, body = place.hook.calls[0]
    assert headers["Idempotency-Key"] == "d-ana:crm"
    assert (body["cause"], body["name"], body["purpose"]) == ("rule", "costly_cart", "marketing")
    assert (body["offer"]["name"], body["items"]) == ("free_shipping", ["kit-001"])
    assert set(queued(place)) == {"d-ana", "d-bo", "d-zed"}
    log = [orjson.loads(value) for value in place.values(place.config.decision_log.topic)]
    assert [(one["kind"], one["action"]) for one in log if one["decision_id"] == "d-ana"] == [
        ("decision", "free_shipping"),
        ("exposure", "free_shipping"),
    ]


def test_candidates_wait_for_files_that_cannot_be_read(place: Place) -> None:
    write_rules(place, RULE)
    offers = place.files.offers.read_text()
    place.files.offers.write_text("offers: 1")
    with running(place) as background:
        tell(place, candidate("ana"))
        assert wait_until(lambda: b"offers.yaml" in background.status(), PATIENCE)
        place.files.offers.write_text(offers)
        assert wait_until(lambda: place.names() == ["ana"], PATIENCE)
        assert b"offers.yaml" not in background.status()


def test_a_rules_own_cap_counts_what_was_sent_because_of_it(place: Place) -> None:
    write_rules(place, RULE)
    with running(place):
        tell(place, candidate("ana"))
        assert wait_until(lambda: bool(place.values(place.config.decision_log.topic)), PATIENCE)  # sent, and noted
        tell(place, candidate("ana", "again"), candidate("bo"))
        assert wait_until(lambda: "bo" in place.names(), PATIENCE)
    assert place.names() == ["ana", "bo"]
    assert queued(place) == ["d-ana", "d-bo"]


def test_a_rules_cap_holds_where_it_is_pushed_to_sockets_too(
    start: Start, serving_config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"rules": [RULE]}))
    monkeypatch.setattr("serving.__main__.RULES", rules)
    client, service = start(serving_config)
    producer = KafkaProducer(bootstrap_servers=serving_config.kafka.bootstrap_servers)

    def told(visitor: str, decision_id: str) -> None:
        producer.send(serving_config.decisions.topic, candidate(visitor, decision_id)).get(10)

    path = "ws://127.0.0.1:8080/ws?identifier_type=anonymous_id&value="
    with client.websocket_connect(f"{path}ana") as ana, client.websocket_connect(f"{path}bo") as bo:
        told("ana", "first")
        assert ana.receive_json()["decision_id"] == "first"
        told("ana", "second")
        told("bo", "third")
        assert bo.receive_json()["decision_id"] == "third"
    assert service.sockets.pushed == 2
    producer.close()


@pytest.mark.slow
def test_from_the_event_through_sparks_lane_to_one_call_also_when_it_is_delivered_again(
    place: Place, lake: Lake
) -> None:
    write_rules(place, RULE)
    lake.config = place.config
    rules = lane_rules(place.files.rules)
    lane = query.start(
        lake.spark, place.config, lake.checkpoint("decisions"), rules, now=datetime.now(UTC), partitions=1
    )
    try:
        assert wait_until(lambda: lane.lastProgress is not None, 60)
        with running(place):
            place.send("Product Added", "ana", properties={"product_id": "kit-001", "price": 80})
            assert wait_until(lambda: place.names() == ["ana"], 60)
            told = place.values(place.config.decisions.topic)
            assert len(told) == 1
            tell(place, *told)
            place.send("Product Added", "bo", properties={"product_id": "kit-001", "price": 80})
            assert wait_until(lambda: "bo" in place.names(), 60)
    finally:
        lane.stop()
    assert place.names() == ["ana", "bo"]

"""Whoever refused that events are stored leaves none behind: nothing but what they say of consent, and the records of their orders."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from lakehouse.config import Config
from lakehouse.errors import StoreError
from lakehouse.online.recent_entries import entries_of_many
from lakehouse.online.store import Document
from serving.deciding.storage_consent import storable
from serving.messages import collector
from serving.service import Service
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN: dict[str, Any] = {"userId": "ann", "anonymousId": "cookie-7f3a"}
YES, NO = ({"context": {"consent": {"categoryPreferences": {"analytics": word}}}} for word in (True, False))
VIEW = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "tea"}}
ORDER = {"type": "track", "event": "Order Completed", "properties": {"order_id": "o1"}}
NOBODY = {"type": "track", "event": "Heartbeat"}
Door = Callable[..., tuple[TestClient, Service]]


@pytest.fixture
def config(config: Config) -> Config:
    """Where storing rests on consent to analytics, and nobody is taken to have given it."""
    consent = dataclasses.replace(config.consent, storage="analytics", never_asked="denied")
    return dataclasses.replace(config, consent=consent)


def kept(service: Service, *events: Any) -> tuple[list[dict[str, Any]], int]:
    """What is kept of events of one request, as Kafka gets it, and how many were withheld."""
    records = collector.of_request(events, {}, NOW)
    found = asyncio.run(storable(service, records, NOW))
    assert [record.event for record in found.records] == [orjson.loads(record.value) for record in found.records]
    return [orjson.loads(record.value) for record in found.records], found.withheld


def names(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event.get("event", event["type"]) for event in events]


def knows(service: Service, word: bool | None) -> None:
    put(service.store, person("p1", [("user_id", "ann")], consent_analytics=word))


def test_of_a_refusal_only_the_refusal_is_kept(door: Door) -> None:
    _, service = door()
    ((statement,), withheld) = kept(service, VIEW | ANN | NO | {"messageId": "m1", "timestamp": "2026-03-01T11:00:00Z"})
    assert withheld == 1
    assert statement.pop("receivedAt") is not None
    assert statement == {
        **{"type": "identify", "messageId": "m1", "timestamp": "2026-03-01T11:00:00Z"},
        **ANN,
        **NO,
    }
    heard = service.reader.consent(statement)
    assert heard is not None
    assert heard.words["analytics"] is False


@pytest.mark.parametrize(
    "named",
    [
        {"traits": {"email": "ann@example.net", "name": "Ann"}, "type": "identify"},
        {"context": {"traits": {"phone": "+12025550143"}}},
        {"traits": {"phone": "030 901820", "address": {"country": "Germany", "street": "Weg 7"}}, "type": "identify"},
        {"traits": {"email": "info@example.net"}, "type": "identify"},
        {"context": {"externalIds": [{"type": "loyalty_id", "id": "L-7"}]}},
        {"context": {"device": {"id": "d-4711"}}, "properties": {"email": "of-a-friend@example.net"}},
    ],
)
def test_who_is_named_by_something_else_alone_is_heard_too(door: Door, named: dict[str, Any]) -> None:
    _, service = door()
    event = VIEW | named | {"messageId": "m1", "context": {**named.get("context", {}), **NO["context"]}}
    ((statement,), _) = kept(service, event)
    assert "name" not in statement["traits"]
    assert "street" not in statement["traits"].get("address", {})
    assert "properties" not in statement
    assert service.reader.identifiers(statement) == service.reader.identifiers(event) != []


@pytest.mark.parametrize(
    ("word", "events", "stays"),
    {
        "refused before": (False, [VIEW | ANN], []),
        "allowed before": (True, [VIEW | ANN], ["Product Viewed"]),
        "never asked": (None, [VIEW | ANN], []),
        "an order is kept for the law": (False, [ORDER | ANN], ["Order Completed"]),
        "a yes counts for what follows it": (False, [YES | VIEW | ANN, VIEW | ANN], ["Product Viewed"] * 2),
        "and a no": (True, [VIEW | ANN, NO | VIEW | ANN, VIEW | ANN], ["Product Viewed", "identify"]),
        "also under one of the names": (True, [NO | VIEW | ANN, VIEW | {"anonymousId": "cookie-7f3a"}], ["identify"]),
        "another purpose is no answer to this one": (
            False,
            [VIEW | ANN | {"context": {"consent": {"categoryPreferences": {"marketing": True}}}}],
            ["identify"],
        ),
        "of nobody nobody refused it": (False, [NOBODY], ["Heartbeat"]),
    }.values(),
)
def test_what_is_kept_goes_by_the_word_that_holds(
    door: Door, word: bool | None, events: Sequence[Any], stays: Sequence[str]
) -> None:
    _, service = door()
    knows(service, word)
    found, withheld = kept(service, *events)
    assert names(found) == list(stays)
    assert withheld == len(events) - sum(name != "identify" for name in stays)


def test_orders_go_too_where_the_owner_says_so(door: Door) -> None:
    _, service = door()
    knows(service, False)
    consent = dataclasses.replace(service.config.consent, storage_keeps_orders=False)
    object.__setattr__(service, "config", dataclasses.replace(service.config, consent=consent))
    assert kept(service, ORDER | ANN) == ([], 1)


def test_a_refusal_that_the_lake_has_not_heard_yet_counts(door: Door) -> None:
    _, service = door()
    knows(service, True)
    refusal = VIEW | ANN | NO | {"messageId": "m1", "timestamp": (NOW - timedelta(seconds=1)).isoformat()}
    service.pending.append(entries_of_many([refusal], service.reader, arrived_at=NOW))
    assert kept(service, VIEW | ANN) == ([], 1)


def test_while_nobody_knows_nothing_is_kept_and_the_sender_is_to_try_again(door: Door) -> None:
    client, service = door(keys=())
    service.store.put([Document("m:profiles", 2**53 - 1, None)])
    service.visitors.look()
    with pytest.raises(StoreError, match="It is not known whether this may be stored"):
        kept(service, VIEW | ANN)
    answer = client.post("/v1/track", json=VIEW | ANN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_sender_is_told_that_it_was_taken_and_not_kept(door: Door) -> None:
    client, service = door(keys=())
    knows(service, False)
    answer = client.post("/v1/batch", json={"batch": [VIEW | ANN, VIEW | ANN]})
    assert (answer.status_code, answer.json()) == (200, {"success": True, "acknowledged": 2, "withheld": 2})


def test_a_decision_is_not_told_as_short_of_events_that_are_not_to_be_kept(door: Door) -> None:
    client, service = door(keys=())
    knows(service, False)
    events = [{"type": "track", "event": "Product Viewed"}]
    asked = {"customer_id": "ann", "events": events}
    answer = client.post("/api/decide", json=asked).json()
    assert answer["events"] == {"received": 1, "acknowledged": 1, "withheld": 1}
    assert not any(why.startswith("kafka") for why in answer["degraded_because"])


def test_by_default_storing_rests_on_something_else(door: Door) -> None:
    _, service = door()
    knows(service, False)
    object.__setattr__(
        service,
        "config",
        dataclasses.replace(service.config, consent=dataclasses.replace(service.config.consent, storage="")),
    )
    assert names(kept(service, VIEW | ANN)[0]) == ["Product Viewed"]

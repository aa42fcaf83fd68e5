"""POST /webhooks/<source>: signed records are in Kafka as they came before the answer, and what comes twice is one event."""

import dataclasses
import hmac
import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from fastapi.testclient import TestClient

from lakehouse.config import PROJECT, Config
from lakehouse.config.paths import SOURCES
from lakehouse.kafka import admin
from lakehouse.sources.topic_sources import topic_sources
from serving.messages.limits import WEBHOOK_BYTES
from tests.serving.conftest import Start
from tests.serving.topic_values import records

SAMPLE = PROJECT / "tests" / "lakehouse" / "sources" / "samples" / "shopify-orders.json"
OLD, NEW = b"old secret", b"new secret"
SHOP, WOO, TILL = "/webhooks/shopify-orders", "/webhooks/woocommerce-orders", "/webhooks/till"
UNSIGNED = """
webhook: {is_unsigned: true}
fields: {at: time, who: text}
type: page
time: at
identifiers: {user_id: who}
"""


def order() -> Any:
    return orjson.loads(SAMPLE.read_bytes())["orders"][0]


def signed(body: bytes, secret: bytes = NEW, **more: str) -> dict[str, str]:
    sign = b64encode(hmac.digest(secret, body, "sha256")).decode()
    return {
        "x-shopify-hmac-sha256": sign,
        "x-wc-webhook-signature": sign,
        "x-shopify-topic": "orders/create",
        "x-wc-webhook-resource": "order",
        "x-shopify-webhook-id": "b54557e4",
        "x-other": "not kept",
    } | more


class Shop(NamedTuple):
    config: Config
    api: TestClient

    def held(self, topic: str) -> list[Any]:
        return records(self.config.kafka.bootstrap_servers, topic)

    def at_home(self) -> TestClient:
        """The same service, called from its own machine."""
        return TestClient(self.api.app, base_url="http://127.0.0.1:8080", client=("127.0.0.1", 5))


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment has the secrets of the shop; the folder of sources one more, that is not signed."""
    for name, value in (("SHOPIFY_WEBHOOK_SECRET", OLD), ("SHOPIFY_WEBHOOK_SECRET_NEXT", NEW)):
        monkeypatch.setenv(name, value.decode())
    monkeypatch.delenv("WOOCOMMERCE_WEBHOOK_SECRET", raising=False)
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("shopify-orders", "woocommerce-orders", "crm"):
        shutil.copy(SOURCES / f"{name}.yaml", folder)
    (folder / "till.yaml").write_text(UNSIGNED)
    monkeypatch.setattr("serving.__main__.SOURCES", folder)
    return folder


def bound(config: Config, **more: Any) -> Config:
    topics = {
        "hooks-shop": "shopify-orders",
        "hooks-woo": "woocommerce-orders",
        "hooks-till": "till",
        "hooks-crm": "crm",
    }
    return dataclasses.replace(config, kafka=dataclasses.replace(config.kafka, sources=topics, **more))


@pytest.fixture
def shop(serving_config: Config, start: Start, secrets: Path) -> Shop:
    config = bound(serving_config)
    for topic in config.kafka.sources:
        admin.create_topic(config.kafka, topic, 2)
    return Shop(config, start(config)[0])


def test_what_is_signed_is_in_kafka_byte_for_byte_and_what_comes_twice_is_one_event(shop: Shop, secrets: Path) -> None:
    body = json.dumps(order(), indent=1).encode() + b"\n "
    assert shop.api.post(SHOP, content=body, headers=signed(body)).json() == {"success": True, "acknowledged": 1}
    assert shop.api.post(SHOP, content=body, headers=signed(body, OLD)).status_code == 200, "as it tries again"
    other = orjson.dumps(order())
    assert shop.api.post(SHOP, content=other, headers=signed(other)).status_code == 200, "the same, written otherwise"
    large = orjson.dumps(order() | {"id": 7, "note": "x" * 600_000})
    assert shop.api.post(SHOP, content=large, headers=signed(large)).status_code == 200
    held = shop.held("hooks-shop")
    assert sorted(record.value for record in held) == sorted([body, body, other, large])
    assert all(
        dict(record.headers) == {"X-Shopify-Topic": b"orders/create", "X-Shopify-Webhook-Id": b"b54557e4"}
        for record in held
    )
    mapping = topic_sources(shop.config, secrets)
    documents = [orjson.loads(mapping.document("hooks-shop", record.value) or b"") for record in held]
    assert {document["type"] for document in documents} == {"track"}
    assert len({document["messageId"] for document in documents}) == 2, "the order, and the large one"


def test_who_cannot_sign_is_told_in_a_line_and_nothing_is_kept(shop: Shop) -> None:
    body = orjson.dumps({**order(), "id": 1})
    before = len(shop.held("hooks-shop"))
    for headers in ({}, signed(body, b"guessed"), signed(body + b" ")):
        answer = shop.api.post(SHOP, content=body, headers=headers)
        assert answer.status_code == 401
        assert "X-Shopify-Hmac-Sha256: " in answer.json()["detail"]
        assert "\n" not in answer.json()["detail"]
    other = shop.api.post(SHOP, content=body, headers=signed(body, **{"x-shopify-topic": "customers/create"}))
    assert (other.status_code, "expected orders/*" in other.json()["detail"]) == (422, True)
    assert shop.api.post("/webhooks/crm", content=body, headers=signed(body)).status_code == 404, "declares none"
    assert shop.api.post("/webhooks/no%2Fsuch", content=body, headers=signed(body)).status_code == 404
    too_large = b"x" * (WEBHOOK_BYTES + 1)
    assert shop.api.post(SHOP, content=too_large, headers=signed(too_large)).status_code == 413
    assert len(shop.held("hooks-shop")) == before


def test_a_ping_is_answered_and_a_secret_that_is_not_set_is_to_be_waited_for(shop: Shop) -> None:
    assert shop.api.post(WOO, content=b"webhook_id=12").json() == {"success": True, "acknowledged": 0}
    body = orjson.dumps({"id": 1})
    for headers in (signed(body), signed(body, b"")):
        closed = shop.api.post(WOO, content=body, headers=headers)
        assert (closed.status_code, closed.headers["retry-after"]) == (503, "60")
    assert shop.held("hooks-woo") == []


def test_what_is_not_signed_is_taken_from_this_machine_alone(shop: Shop) -> None:
    body, home = b'{"at":1738317600,"who":"c-1"}', shop.at_home()
    assert home.post(TILL, content=body).status_code == 200
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
        assert home.post(TILL, content=body, headers={name: "127.0.0.1"}).status_code == 401, "handed on by a proxy"
    assert shop.api.post(TILL, content=body).status_code == 401
    assert [record.value for record in shop.held("hooks-till")] == [body]


def test_without_a_broker_it_is_to_be_sent_again(serving_config: Config, start: Start, secrets: Path) -> None:
    api, _ = start(bound(serving_config, bootstrap_servers="127.0.0.1:1"), connected=False)
    body = orjson.dumps(order())
    away = api.post(SHOP, content=body, headers=signed(body))
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")
    assert "kafka" in away.json()["detail"]

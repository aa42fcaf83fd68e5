"""Further requests of the kinds in http.jsonl, as libraries, proxies and browsers spell them, each through the whole application.

Kafka is stood in for by a list; what the lake would read is read from it.
"""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lakehouse.events.document import record
from serving.kafka.record_frames import Record
from serving.service import Service

Door = Callable[..., tuple[TestClient, Service]]
EVENT = {"type": "track", "event": "Gr\u00f6\u00dfe", "userId": "u-h", "messageId": "h-1"}
ONE = json.dumps(EVENT, ensure_ascii=False)
BATCH = json.dumps({"batch": [EVENT], "sentAt": "2026-11-27T10:01:00.000Z"}, ensure_ascii=False)
BASIC = {"authorization": "Basic ZGV2Og=="}
SHOP = "https://shop.example.com"


class Collector:
    """The application, and the messages it passed on."""

    def __init__(self, door: Door) -> None:
        self.api, service = door(origins=("*",))
        self._config, self._sent = service.config, list[bytes]()
        service.outbox.keep = self._keep  # type: ignore[method-assign]
        service.out.send = self._send  # type: ignore[method-assign]

    async def _keep(self, records: Sequence[Record]) -> int:
        self._sent += [record.value for record in records]
        return len(records)

    def _send(self, _topic: str, _key: bytes | None, value: bytes, _headers: object = ()) -> "asyncio.Future[None]":
        self._sent.append(value)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def post(self, path: str, body: bytes | str, headers: Mapping[str, str] = BASIC) -> Any:
        content = body.encode() if isinstance(body, str) else body
        return self.api.post(path, content=content, headers=dict(headers), follow_redirects=False)

    def events(self) -> list[Any]:
        """Names of the events, as the lake reads them."""
        messages = [record(value, self._config.events).message for value in self._sent]
        return [None if message is None else message["event"] for message in messages]


@pytest.fixture
def collector(door: Door) -> Collector:
    return Collector(door)


def of_old(body: bytes) -> bytes:
    """Deflate without a head, as some senders understand it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


RAW = BATCH.encode()
CODED = {
    "gzip": (gzip.compress(RAW), {"content-encoding": "gzip"}),
    "gzip in capitals": (gzip.compress(RAW), {"content-encoding": "GZIP"}),
    "gzip that nobody named": (gzip.compress(RAW), {}),
    "deflate": (zlib.compress(RAW), {"content-encoding": "deflate"}),
    "deflate of old": (of_old(RAW), {"content-encoding": "deflate"}),
    "deflate that nobody named": (zlib.compress(RAW), {}),
    "named by a proxy that unpacked it": (RAW, {"content-encoding": "gzip"}),
    "identity": (RAW, {"content-encoding": "identity"}),
    "twice": (gzip.compress(gzip.compress(RAW)), {"content-encoding": "gzip, gzip"}),
    "in UTF-16": (BATCH.encode("utf-16"), {"content-type": "application/json; charset=utf-16"}),
    "in UTF-16 that nobody named": (BATCH.encode("utf-16-le"), {}),
    "with a byte order mark": (BATCH.encode("utf-8-sig"), {}),
    "in Latin 1": (BATCH.encode("latin-1"), {"content-type": "text/plain; charset=ISO-8859-1"}),
    "called Latin 1": (RAW, {"content-type": "text/plain; charset=ISO-8859-1"}),
    "of a form": (RAW, {"content-type": "application/x-www-form-urlencoded"}),
    "of a beacon": (RAW, {"content-type": "text/plain;charset=UTF-8", "origin": SHOP}),
}


@pytest.mark.parametrize(("body", "headers"), CODED.values(), ids=CODED)
def test_a_batch_arrives_however_it_is_packed_and_written(
    collector: Collector, body: bytes, headers: dict[str, str]
) -> None:
    answer = collector.post("/v1/batch", body, BASIC | headers)
    assert (answer.status_code, collector.events()) == (200, ["Gr\u00f6\u00dfe"]), answer.text


def test_two_headers_of_codings_are_one_list(collector: Collector) -> None:
    headers = [*BASIC.items(), ("content-encoding", "deflate"), ("content-encoding", "gzip")]
    packed = gzip.compress(zlib.compress(RAW))
    answer = collector.api.post("/v1/batch", content=packed, headers=headers)
    assert (answer.status_code, len(collector.events())) == (200, 1)


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {}], ids=["named", "not named"])
def test_a_bomb_is_refused_whether_it_is_named_or_not(collector: Collector, headers: dict[str, str]) -> None:
    answer = collector.post("/v1/batch", gzip.compress(b" " * 10_000_000), BASIC | headers)
    assert (answer.status_code, collector.events()) == (413, [])


@pytest.mark.parametrize(
    "path",
    ["/v1/import/", "/v1/batch/", "/v1/b", "//v1/batch", "/v1//batch", "/beacon/v1/batch/"],
)
def test_a_library_finds_the_collector_however_its_host_was_written(collector: Collector, path: str) -> None:
    """Segment's for Java sends to /v1/import/ and follows no redirect; a host with a slash at its end makes two."""
    answer = collector.post(f"http://127.0.0.1:8080{path}", BATCH)
    assert (answer.status_code, len(collector.events())) == (200, 1), answer.text


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        basic("dev:"),
        basic("dev"),
        basic("dev:x"),
        basic("dev:").lower().replace("zgv2og==", "ZGV2Og=="),
        "Basic ZGV2Og",
        "Basic  ZGV2Og== ",
        "Bearer dev",
    ],
)
def test_a_write_key_is_read_in_every_spelling_of_its_header(collector: Collector, authorization: str) -> None:
    assert collector.post("/v1/track", ONE, {"authorization": authorization}).status_code == 200


@pytest.mark.parametrize("with_credentials", [False, True])
def test_a_page_may_send_with_credentials_or_without(collector: Collector, with_credentials: bool) -> None:
    """What a browser checks: https://fetch.spec.whatwg.org/#cors-check, the preflight first."""
    asks = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = collector.api.options("/v1/t", headers=asks)
    body = json.dumps(EVENT | {"writeKey": "dev"})
    sent = collector.post("/v1/t", body, {"origin": SHOP, "content-type": "application/json"})
    for answer in (preflight, sent):
        allowed, may = (answer.headers.get(f"access-control-allow-{name}") for name in ("origin", "credentials"))
        assert (allowed == SHOP and may == "true") if with_credentials else allowed in ("*", SHOP)
    assert "content-type" in preflight.headers["access-control-allow-headers"]


def test_who_only_looks_whether_the_service_is_there_is_answered(collector: Collector) -> None:
    api = collector.api
    assert [api.head(path).status_code for path in ("/healthz", "/", "/docs")] == [200] * 3
    assert api.head("/healthz").content == b""
    options = api.options("/healthz")
    assert (options.status_code, options.headers["allow"]) == (204, "GET")
    assert api.head("/v1/pixel/track?writeKey=dev&userId=u&event=x").status_code == 405
    assert collector.events() == []
    assert [api.put(path, headers=BASIC).status_code for path in ("/v1/track", "/api/decide")] == [405, 405]


DECISIONS: Mapping[str, bytes] = {
    "a number with a point": b'{"customer_id": 7358220173425.0}',
    "PHP's empty object": b'{"customer_id": "7358220173425", "context": [], "events": [{"event": "x", "properties": []}]}',
    "nulls of a typed language": b'{"customer_id": "7358220173425", "identifier": null, "context": null, "events": null, "offers": null}',
    "blanks of a template": b'{"customer_id": "7358220173425", "segment": "", "context": {"device": "", "channel": ""}}',
    "a byte order mark": b'\xef\xbb\xbf{"customer_id": 7358220173425}',
    "half an emoji": b'{"customer_id": 7358220173425, "context": {"title": "\\ud83d"}}',
    "gzip that nobody named": gzip.compress(b'{"customer_id": 7358220173425}'),
}


@pytest.mark.parametrize("body", DECISIONS.values(), ids=DECISIONS)
def test_a_shop_gets_its_decision_in_whatever_language_it_is_written(collector: Collector, body: bytes) -> None:
    answer = collector.post("/api/decide", body, {})
    assert (answer.status_code, answer.json()["degraded"]) == (200, False), answer.text

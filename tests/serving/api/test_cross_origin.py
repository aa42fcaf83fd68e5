import asyncio
from typing import Any

import pytest

from serving.api.cross_origin import CrossOrigin
from serving.messages.limits import Message, Receive, Scope, Send

SHOP, OTHER = "https://shop.example.com", "https://other.example.com"
COLLECTOR, DECISIONS, PAGE = "/v1/track", "/api/decide", "/docs"


async def _ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b""})


async def _accepting(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})


def asked(
    origins: list[str], path: str, *, method: str = "POST", kind: str = "http", own: str = "", **headers: str
) -> tuple[Message, dict[str, str]]:
    """The first thing that is answered, and its headers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": kind, "path": path, "method": method, "headers": [(b"host", b"in:8080"), *named]}
    asyncio.run(CrossOrigin(_ok if kind == "http" else _accepting, origins, own)(scope, receive, send))
    return sent[0], {name.decode(): value.decode() for name, value in sent[0].get("headers", ())}


@pytest.mark.parametrize(
    ("origins", "path", "origin", "status", "allowed"),
    [
        (["*"], COLLECTOR, SHOP, 200, SHOP),
        (["*"], "/pixel/v1/track", "null", 200, "null"),
        (["*"], "/sourceConfig", SHOP, 200, "*"),
        (["*"], DECISIONS, SHOP, 403, None),
        ([SHOP], COLLECTOR, SHOP, 200, SHOP),
        ([SHOP], DECISIONS, SHOP, 200, SHOP),
        ([SHOP + "/"], DECISIONS, "HTTPS://Shop.example.com", 200, SHOP),
        ([SHOP], COLLECTOR, OTHER, 403, None),
        ([SHOP], DECISIONS, OTHER, 403, None),
        ([], DECISIONS, "http://in:8080", 200, None),
        ([], DECISIONS, "null", 403, None),
        ([], PAGE, OTHER, 403, None),
        ([], DECISIONS, "http://[", 403, None),
        ([], DECISIONS, "http://in:9090", 403, None),
    ],
)
def test_who_may_call_what(origins: list[str], path: str, origin: str, status: int, allowed: str | None) -> None:
    first, headers = asked(origins, path, origin=origin)
    assert (first["status"], headers.get("access-control-allow-origin")) == (status, allowed)
    assert (headers.get("vary") == "origin") == (allowed is not None or status == 403)


def test_a_caller_that_is_no_page_is_asked_nothing() -> None:
    first, headers = asked([], DECISIONS)
    assert (first["status"], headers) == (200, {"x-own": "1"})


def test_a_preflight_is_answered_by_the_service_itself() -> None:
    request = {"access_control_request_method": "POST", "access_control_request_headers": "X-Retry-Count, bad header"}
    first, headers = asked([SHOP], DECISIONS, method="OPTIONS", origin=SHOP, **request)
    assert first["status"] == 204
    assert headers["access-control-allow-headers"] == "authorization, content-type, content-encoding, x-retry-count"
    assert int(headers["access-control-max-age"]) > 0
    assert asked([SHOP], DECISIONS, method="OPTIONS", origin=OTHER, **request)[0]["status"] == 403


@pytest.mark.parametrize(
    ("origins", "path", "is_allowed"),
    [
        (["*"], COLLECTOR, True),
        ([SHOP], "/beacon/v1/batch", True),
        (["*"], "/sourceConfig", False),
        ([SHOP], "/sourceConfig", False),
        ([SHOP], DECISIONS, False),
    ],
)
def test_a_beacon_of_json_is_not_dropped_by_its_browser(origins: list[str], path: str, is_allowed: bool) -> None:
    """It comes with credentials: the preflight and the answer must allow them, to the very origin."""
    for more in ({}, {"method": "OPTIONS", "access_control_request_method": "POST"}):
        _, headers = asked(origins, path, origin=SHOP, **more)  # type: ignore[arg-type]
        assert ("access-control-allow-credentials" in headers) == is_allowed
        assert not is_allowed or headers["access-control-allow-origin"] == SHOP


def test_a_public_page_may_call_a_service_in_a_private_network() -> None:
    preflight = {"access_control_request_method": "POST", "access_control_request_private_network": "true"}
    _, headers = asked(["*"], COLLECTOR, method="OPTIONS", origin=SHOP, **preflight)
    assert headers["access-control-allow-private-network"] == "true"
    refused, headers = asked([SHOP], COLLECTOR, method="OPTIONS", origin=OTHER, **preflight)
    assert (refused["status"], "access-control-allow-private-network" in headers) == (403, False)


def test_a_page_reads_when_it_may_come_again() -> None:
    _, headers = asked(["*"], COLLECTOR, origin=SHOP)
    assert "retry-after" in headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("origins", "own", "origin", "answered"),
    [
        ([SHOP], "", SHOP, "websocket.accept"),
        (["*"], "", SHOP, "websocket.close"),
        ([], "", "http://in:8080", "websocket.accept"),
        ([], "https://events.example.com/cdp", "https://events.example.com", "websocket.accept"),
        ([], "", "null", "websocket.close"),
    ],
)
def test_a_socket_is_opened_to_declared_origins_and_to_the_services_own_page(
    origins: list[str], own: str, origin: str, answered: str
) -> None:
    assert asked(origins, "/ws", kind="websocket", own=own, origin=origin)[0]["type"] == answered

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serving.api.hosts import Hosts
from serving.messages.limits import Receive, Scope, Send


async def _ok(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((name, 200) for name in ("127.0.0.1", "127.0.0.1:8080", "LOCALHOST:1", "[::1]:8080", "inner", "inner:81")),
        *((name, 200) for name in ("events.example.com", "Events.Example.com:443")),
        *((name, 421) for name in ("evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "localhost:x")),
        *((name, 421) for name in ("127.0.0.1@evil.example", "evil.example#localhost", "[::1", "localhost.")),
    ],
)
def test_who_asks_by_a_name_that_is_not_ours_is_refused(host: str, status: int) -> None:
    client = TestClient(Hosts(_ok, ["Inner"], "https://events.example.com/cdp"))
    assert client.get("/", headers={"host": host}).status_code == status
    if status == 421:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/", headers={"host": host}):
            pass


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("1.1", 421)])
def test_a_health_check_in_http_1_0_need_name_no_host(version: str, status: int) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    scope = {"type": "http", "http_version": version, "method": "GET", "path": "/healthz", "headers": []}
    asyncio.run(Hosts(_ok, [])(scope, receive, send))
    assert sent[0]["status"] == status
    headers = dict(sent[0]["headers"])
    assert status == 200 or headers[b"content-length"] == str(len(sent[1]["body"])).encode()

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

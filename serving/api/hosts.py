"""By which names the service may be asked for. Whoever asks by another is refused, before anything else looks at the request.

A page may have its own name point to this machine (DNS rebinding): its browser then takes the service for part of the page. The
name it asks by is still its own. Source: https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request.
Browsers speak HTTP/1.1 at least: a health check in HTTP/1.0 need name no host.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from serving.messages.limits import App, Receive, Scope, Send, refuse

HERE = ("127.0.0.1", "localhost", "[::1]")  # nobody else can have these names
_MISDIRECTED = 421
_NAME = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d+)?")


class Hosts:
    """ASGI middleware. `names`: declared ones, without a port. `own`: the address this service is reached at, if declared."""

    def __init__(self, app: App, names: Iterable[str], own: str = "") -> None:
        own_name = urlsplit(own).hostname or ""
        self._app = app
        self._names = frozenset(name.lower() for name in (*HERE, *names, own_name) if name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            asked = [value for name, value in scope["headers"] if name == b"host"]
            names_none = not asked and scope.get("http_version") == "1.0"
            if not names_none and (len(asked) != 1 or not self._is_ours(asked[0].decode("latin-1").lower())):
                await _refuse(scope, receive, send, asked)
                return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        named = _NAME.fullmatch(host)
        return named is not None and named[1] in self._names


async def _refuse(scope: Scope, receive: Receive, send: Send, asked: list[bytes]) -> None:
    got = b", ".join(asked).decode("latin-1")[:60]
    told = f"host: got {got!a}, expected a name of this service. Declare it in serving.hosts"
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": told})
        return
    await refuse(send, _MISDIRECTED, told)

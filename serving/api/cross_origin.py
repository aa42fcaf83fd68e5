"""Pages of other origins: which may call, told to their browsers on every answer, refusals included.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol. The collector is guarded by its write key and knows no cookies, so
it may be open to any origin; all else is open to declared origins alone. What is not allowed is not done: a page may send what it
may not read the answer of. A caller that names no origin is no page, or one that fetches an image; browsers name it with all else.

A beacon always comes with credentials, and a browser drops one of JSON unless they are allowed to its very origin. So they are where
events are taken: nothing follows from them. Not at /sourceConfig, whose answer holds the key it was asked with.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from serving.messages.limits import App, Receive, Scope, Send, header, refuse

ANY = "*"
_TAKES_EVENTS = ("/v1/", "/pixel/", "/beacon/")
COLLECTOR = (*_TAKES_EVENTS, "/sourceConfig", "/stitchlake.js")
_METHODS = b"GET, POST"
_HEADERS = ("authorization", "content-type", "content-encoding")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_MOST_HEADERS = 32
_MAX_AGE_SECONDS = b"7200"  # the longest that Chromium keeps
_NO_CONTENT, _FORBIDDEN = 204, 403

Headers = list[tuple[bytes, bytes]]


class CrossOrigin:
    """ASGI middleware. `origins`: as a browser names them, or `*`. `own`: the address this service is reached at, if declared."""

    def __init__(self, app: App, origins: Iterable[str], own: str = "") -> None:
        self._app = app
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._own = "://".join(urlsplit(own.lower())[:2])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = header(scope, b"origin") if scope["type"] in ("http", "websocket") else None
        if not sent:
            await self._app(scope, receive, send)
            return
        headers, origin = dict(scope["headers"]), sent.decode("latin-1").lower()
        allowed = self._allowed(origin, scope["path"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        is_own = origin in (f"http://{host}", f"https://{host}", self._own)  # the host was looked at: it is ours
        if scope["type"] == "websocket":
            if allowed or is_own:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": _told(origin)})
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await (_preflight(send, headers, allowed) if allowed else _refuse(send, origin))
        elif not (allowed or is_own):
            await _refuse(send, origin)
        else:
            await self._app(scope, receive, _telling(send, allowed))

    def _allowed(self, origin: str, path: str) -> Headers:
        """The headers that let a page read the answer; none where it may not."""
        takes_events = path.startswith(_TAKES_EVENTS)
        if origin not in self._origins and not (ANY in self._origins and path.startswith(COLLECTOR)):
            return []
        named = origin if takes_events or origin in self._origins else ANY
        headers = [(b"access-control-allow-origin", named.encode("latin-1")), (b"vary", b"origin")]
        return [*headers, (b"access-control-allow-credentials", b"true")] if takes_events else headers


def _telling(send: Send, allowed: Headers) -> Send:
    if not allowed:
        return send

    async def tell(message: Mapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            sent = message.get("headers", ())
            assert isinstance(sent, Iterable)
            exposed = (b"access-control-expose-headers", b"retry-after, etag")
            message = {**message, "headers": [*sent, *allowed, exposed]}
        await send(dict(message))

    return tell


async def _preflight(send: Send, asked_with: Mapping[bytes, bytes], allowed: Headers) -> None:
    asked = asked_with.get(b"access-control-request-headers", b"")
    named = [name.strip().lower() for name in asked.decode("latin-1").split(",")][:_MOST_HEADERS]
    may_send = dict.fromkeys((*_HEADERS, *(name for name in named if _TOKEN.fullmatch(name))))
    headers = [
        *allowed,
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", ", ".join(may_send).encode()),
        (b"access-control-max-age", _MAX_AGE_SECONDS),
    ]
    if b"access-control-request-private-network" in asked_with:  # https://wicg.github.io/private-network-access
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": _NO_CONTENT, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, origin: str) -> None:
    await refuse(send, _FORBIDDEN, _told(origin), (b"vary", b"origin"))


def _told(origin: str) -> str:
    return f"origin: got {origin[:60]!a}, expected one of serving.origins. Declare it there"

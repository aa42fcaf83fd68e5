"""What a request may be at most, checked before anything reads it: bytes of the body, nesting, requests at once."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"{}[]")))
_CURLY = bytes.maketrans(b"[]", b"{}")


class BodyLimit:
    """ASGI middleware: a body of more than `most_bytes` is answered with 413, whether its length was announced or not."""

    def __init__(self, app: App, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if announced is not None and (not announced.isdigit() or int(announced) > self._most_bytes):
            await _refuse(send, self._most_bytes)
            return
        if announced is not None:  # the server holds a client to the length it announced
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most_bytes:
                await _refuse(send, self._most_bytes)
                return
        whole = {"type": "http.request", "body": bytes(body), "more_body": False}
        replayed = iter((whole,))

        async def replay() -> Message:
            return next(replayed, None) or await receive()

        await self._app(scope, replay, send)


async def _refuse(send: Send, most_bytes: int) -> None:
    detail = f"body: more than {most_bytes} bytes, expected at most that many. Send less in one request"
    content = orjson.dumps({"detail": detail})
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def is_too_deep(body: bytes, most: int) -> bool:
    """Whether valid JSON text nests objects and arrays more than `most` levels.

    Brackets in strings do not count. Works through C-speed passes, one a level: a hostile body costs no more than a long one.
    """
    if body.count(b"{") + body.count(b"[") <= most:
        return False
    brackets = _STRING.sub(b"", body).translate(_CURLY, _NOT_BRACKETS)
    for _ in range(most):
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)

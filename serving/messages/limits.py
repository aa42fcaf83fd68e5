"""What a request may be at most, checked before anything reads it: bytes of the body, also once decompressed, and nesting."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect

from serving.messages.content_coding import Damaged, Inflated, UnknownCoding, codings_of, inflated

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WEBHOOK_BYTES = 900_000  # a record of Kafka may have 1,000,000, with its headers
_MOST_DIGITS = 18  # of a length: Python refuses to read a number of thousands
_BROKEN, _TOO_LARGE, _UNKNOWN_CODING = 400, 413, 415
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"{}[]")))
_CURLY = bytes.maketrans(b"[]", b"{}")


def header(scope: Scope, name: bytes) -> bytes | None:
    """What was sent under a name in small letters, the first of several; None = nothing."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for sent, value in headers if sent == name), None)


async def body_of(receive: Receive) -> bytes:
    """All of a request's body. Raises ClientDisconnect where whoever sends it goes away."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


class BodyLimit:
    """ASGI middleware: a body of more than `most_bytes` is answered with 413, whether its length was announced or not.

    What comes compressed is handed on as it was before, or answered with 400, 413 or 415. `of_path`: beginning of a path -> its own limit.
    """

    def __init__(self, app: App, most_bytes: int, of_path: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._of_path = of_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        most_bytes = next(
            (most for path, most in self._of_path.items() if scope["path"].startswith(path)), self._most_bytes
        )
        announced = header(scope, b"content-length")
        packed = b",".join([value for name, value in scope["headers"] if name == b"content-encoding"])
        if announced is not None and (
            not announced.isdigit() or len(announced) > _MOST_DIGITS or int(announced) > most_bytes
        ):
            await refuse(send, _TOO_LARGE, _too_large(most_bytes))
            return
        try:
            codings = codings_of(packed.decode("latin-1"))
        except UnknownCoding as unknown:
            await refuse(send, _UNKNOWN_CODING, str(unknown))
            return
        if announced is not None and not codings:  # the server holds a client to the length it announced
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most_bytes:
                await refuse(send, _TOO_LARGE, _too_large(most_bytes))
                return
        try:
            whole = inflated(bytes(body), codings, most_bytes)
        except Damaged as damaged:
            await refuse(send, _BROKEN, str(damaged))
        except Inflated as large:
            await refuse(send, _TOO_LARGE, str(large))
        else:
            await self._app(_plain(scope, len(whole)), _replayed(whole, receive), send)


def _too_large(most_bytes: int) -> str:
    return f"body: more than {most_bytes} bytes, expected at most that many. Send less in one request"


def _plain(scope: Scope, length: int) -> Scope:
    """The request as if its body had come whole and not compressed."""
    gone = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [header for header in scope["headers"] if header[0] not in gone]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    replayed = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def replay() -> Message:
        return next(replayed, None) or await receive()

    return replay


async def refuse(send: Send, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer before anything has read the body, so that the connection is of no more use."""
    content = orjson.dumps(refusal(status, detail))
    length = str(len(content)).encode()
    plain = ((b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    await send({"type": "http.response.body", "body": content})


def refusal(status: int, detail: str) -> dict[str, Any]:
    """The body of a refusal; `code` and `message` are where Segment's libraries look for it, and try again without them."""
    return {"detail": detail, "code": str(status), "message": detail}


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

"""What routes of the service share: plain in, JSON out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from serving.messages.limits import App, Receive, Scope, Send, refusal

JSON = "application/json"
NOT_KEPT = {"cache-control": "no-store"}
Endpoint = Callable[[Request], Awaitable[Response]]


class Straight:
    """ASGI middleware: routes of a fixed path that take a request and give a response are called at once.

    The framework's own way to them, past everything that could be injected and looked up, costs a tenth of a decision. It
    still documents them, and answers whatever is no such route. `direct`: by method and path.
    """

    def __init__(self, app: App, direct: Mapping[tuple[str, str], App]) -> None:
        self._app = app
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._direct.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (app or self._app)(scope, receive, send)


def called(endpoint: Endpoint) -> App:
    """An endpoint as an ASGI application."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    return call


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """JSON; what orjson does not know is written as text. No cache on its way keeps it, unless `headers` say otherwise: it may tell of somebody, or hold a key."""
    return Response(orjson.dumps(content, default=str), status, NOT_KEPT | headers, JSON)


def fault(status: int, detail: str, **headers: str) -> Response:
    """A refusal: where, what was wrong, what was expected."""
    return answer(refusal(status, detail), status, **headers)

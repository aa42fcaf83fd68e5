"""What routes of the service share: plain in, JSON out."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import orjson
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from serving.messages.limits import App, Receive, Scope, Send, refusal

JSON = "application/json"
Endpoint = Callable[[Request], Awaitable[Response]]


class Straight:
    """ASGI middleware: routes that take a request and give a response are called at once, by their method and path.

    The framework's own way to them, past everything that could be injected and looked up, costs a tenth of a decision. It
    still documents them, and answers whatever is no such route.
    """

    def __init__(self, app: App, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            (method, route.path): cast(Endpoint, route.endpoint)
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self._endpoints.get((scope["method"], scope["path"]))
            if endpoint is not None:
                response = await endpoint(Request(scope, receive))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """JSON; what orjson does not know is written as text."""
    return Response(orjson.dumps(content, default=str), status, headers, JSON)


def fault(status: int, detail: str, **headers: str) -> Response:
    """A refusal: where, what was wrong, what was expected."""
    return answer(refusal(status, detail), status, **headers)

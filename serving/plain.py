"""What routes of the service share: plain in, JSON out."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

JSON = "application/json"


class PlainRoute(APIRoute):
    """A route whose endpoint takes a request and gives a response: nothing is injected into it, nor looked up for that."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(content, default=str), status, headers, JSON)


def fault(status: int, detail: str, **headers: str) -> Response:
    return answer({"detail": detail}, status, **headers)

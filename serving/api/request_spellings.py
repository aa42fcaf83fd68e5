"""One spelling of a request before anything looks at it: what libraries, health checks and people write otherwise.

Paths of the collector: libraries put `/v1/batch` behind whatever host they are given (`https://host/` makes `//v1/batch`), and Segment's for
Java sends to `/v1/import/`. Most of them follow no redirect of a POST. HEAD is GET without its body (RFC 9110, 9.3.2), where GET
changes nothing and tells of nobody; a pixel counts, so nobody looks at it by HEAD.
"""

import re
from collections.abc import Collection

from serving.api.cross_origin import COLLECTOR
from serving.messages.limits import App, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")


class RequestSpellings:
    """ASGI middleware. `bare`: paths that HEAD is answered for."""

    def __init__(self, app: App, bare: Collection[str]) -> None:
        self._app = app
        self._bare = frozenset(bare)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if "//" in path or path.endswith("/"):
                scope = {**scope, "path": _one_spelling(path)}
            if scope["method"] == "HEAD" and scope["path"] in self._bare:
                scope = {**scope, "method": "GET"}  # the server knows what was asked, and writes no body
        await self._app(scope, receive, send)


def _one_spelling(path: str) -> str:
    single = _SLASHES.sub("/", path)
    return single.rstrip("/") if single.startswith(COLLECTOR) else path

"""Before each route: how often this address has come, and whether the key may do what the route does. Counts what is answered."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import cast

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from lakehouse.config.keys import Key
from serving.api.json_responses import Endpoint, called
from serving.api.keys import admitted, given_key, refused, too_many
from serving.api.scopes import ASKED_BY_ROUTE, OPEN, SCOPES
from serving.messages.limits import App, Message, Receive, Scope, Send
from serving.service import Service

BY = "stitchlake.by"  # in the ASGI scope: the name of the key that was let in; empty = none was needed
WHOM = "stitchlake.whom"  # in the ASGI scope: the one visitor a page token is for
Clock = Callable[[], float]


class AccessControl:
    """ASGI middleware of one route."""

    def __init__(self, app: App, service: Service, path: str, *, clock: Clock = time.perf_counter) -> None:
        self._app = app
        self._service = service
        self._scope = SCOPES[path]
        self._meter = service.meters.route(path)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, refusal = self._clock(), self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "no key or page token that may listen"})
            return

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._meter.answered(message["status"], self._clock() - started)
            await send(message)

        await (self._app if refusal is None else cast(App, refusal))(scope, receive, count)

    def _refusal(self, scope: Scope) -> Response | None:
        service = self._service
        if self._scope == OPEN:
            return None
        if service.address_rates.is_on:
            refusal = too_many(service.address_rates.wait(_address(scope, service.config.serving.proxies)))
            if refusal is not None:
                return refusal
        if self._scope in ASKED_BY_ROUTE:
            return None
        if scope["type"] == "websocket" and (token := HTTPConnection(scope).query_params.get("token")):
            scope[WHOM] = service.page_tokens.read(token, service.clock())
            return None if scope[WHOM] is not None else refused(service, self._scope, None)
        told = admitted(service, self._scope, given_key(scope))
        if isinstance(told, Key):
            scope[BY] = told.name
            return None
        return told


def guard(
    routes: Iterable[BaseRoute], service: Service, spelt: Mapping[str, Mapping[str, str]]
) -> Mapping[tuple[str, str], App]:
    """Put it before every route; those of a fixed path that take a request and give a response, by method and path.

    `spelt`: of a route with one name in its path, the paths it has and that name in each: they are fixed, too.

    Raises:
        KeyError: a route is not in the table of scopes.
    """
    direct: dict[tuple[str, str], App] = {}
    for route in routes:
        assert isinstance(route, Route | WebSocketRoute)
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
            for path, endpoint in _fixed(route, spelt):
                direct["POST", path] = AccessControl(called(endpoint), service, route.path)
        route.app = AccessControl(route.app, service, route.path)
    return direct


def _fixed(route: APIRoute, spelt: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[str, Endpoint]]:
    if "{" not in route.path:
        return [(route.path, cast(Endpoint, route.endpoint))]
    return [(path, partial(route.endpoint, name)) for path, name in spelt.get(route.path, {}).items()]


def _address(scope: Scope, proxies: int) -> str:
    """Whose request it is. Each proxy in front appends the address it was called from, so the client's is that many from the end."""
    if proxies:
        named = HTTPConnection(scope).headers.getlist("x-forwarded-for")
        addresses = [address.strip() for line in named for address in line.split(",")]
        if len(addresses) >= proxies:
            return caller_at(addresses[-proxies])
    client = scope.get("client")
    return caller_at(str(client[0])) if client else ""


def caller_at(address: str) -> str:
    """Whom a limit takes for one at an address, with a port or without: of IPv6 the network of 64 bits, in which anybody has as many as they like."""
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    else:
        host = address.partition(":")[0] if address.count(":") == 1 else address
    try:
        ip = ip_address(host)
    except ValueError:
        return address[:64]
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64)
    return str(ip)

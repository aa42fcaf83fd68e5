"""Who may call: the key of the decision API, and the write key of the collector."""

import base64
import binascii
import hmac
from typing import Any

from fastapi import Request, WebSocket
from fastapi.responses import Response

from serving.api.json_responses import fault
from serving.service import Service

_NO_KEY = 401


def may_decide(service: Service, request: Request | WebSocket) -> bool:
    """Whether the request has the key of the decision API, if one is set."""
    key = service.config.serving.api_key
    if not key:
        return True
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    given = given or request.query_params.get("key", "")  # a WebSocket of a page can send no header
    return _is_same(given, key)


def may_write(service: Service, request: Request, in_body: Any = None) -> bool:
    """The write key: user of Basic authentication, or `writeKey` in the body, or in the address as RudderStack's beacons have it."""
    given = _basic_user(request) or in_body or request.query_params.get("writeKey")
    return isinstance(given, str) and is_write_key(service, given)


def is_write_key(service: Service, given: str) -> bool:
    """Whether it is the one this service has; it may have none."""
    return bool(service.config.serving.write_key) and _is_same(given, service.config.serving.write_key)


def _is_same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), key.encode())


def _basic_user(request: Request) -> str | None:
    """Empty for Basic authentication without a user; None for none."""
    kind, _, credentials = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return "\0"  # no key there ever was


def no_key() -> Response:
    """The refusal of whoever has none."""
    detail = "authorization: no key, or another one, expected the key of this service"
    return fault(_NO_KEY, detail, **{"www-authenticate": "Basic"})

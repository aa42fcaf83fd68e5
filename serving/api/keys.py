"""Who may call: the key or token a request gives, what it may do, and how often. Keys: lakehouse/config/keys.py, tokens: serving/state/tokens.py."""

import base64
import math
from typing import Any

from fastapi.responses import Response
from starlette.requests import HTTPConnection

from lakehouse.config.keys import NOBODY, SCOPES, Key
from serving.api.json_responses import fault
from serving.messages.limits import Scope, header
from serving.service import Service
from serving.state.provider_keys import PAUSE_SECONDS, Unconfirmed
from serving.state.tokens import Untrusted, is_token

INGEST, DECIDE, PROFILES, SUPPRESS, ADMIN = SCOPES
_NO_KEY, _OTHER_SCOPE, _TOO_MANY, _AWAY = 401, 403, 429, 503


def given_key(scope: Scope) -> str | None:
    """The bearer token, or the user of Basic authentication; empty for Basic without a user, None for neither."""
    kind, _, credentials = (header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
    credentials = credentials.strip()
    if kind.lower() == "bearer":
        return credentials
    if kind.lower() != "basic":
        return None
    try:
        padded = credentials.rstrip("=") + "=" * (-len(credentials.rstrip("=")) % 4)
        return base64.b64decode(padded, validate=True).decode().partition(":")[0]
    except ValueError:  # no base64, or no text in it
        return "\0"  # no key there ever was


def refused(service: Service, scope: str, given: str | None) -> Response | None:
    """The refusal of `admitted`; None = come in."""
    told = admitted(service, scope, given)
    return None if isinstance(told, Key) else told


def admitted(service: Service, scope: str, given: str | None) -> Key | Response:
    """The key of who may come in; or the refusal of who gives no key, another one, one of another scope, or one that has been used too often.

    So is a token's while nobody can say whose it is: 503, not 401, for its holder has done nothing wrong and may come again.
    """
    try:
        key = _holder(service, given) if given else None
    except Untrusted as untrusted:
        return fault(_NO_KEY, f"authorization: {untrusted}", **{"www-authenticate": 'Bearer error="invalid_token"'})
    except Unconfirmed as unconfirmed:
        return fault(_AWAY, f"authorization: {unconfirmed}", **{"retry-after": str(math.ceil(PAUSE_SECONDS))})
    if service.keys.is_open(scope):
        key = key or NOBODY
    elif key is None:
        detail = (
            f"authorization: got no key of this service, expected one with the scope {scope}. Send it as a bearer token"
        )
        return fault(_NO_KEY, detail, **{"www-authenticate": "Basic"})
    elif scope not in key.scopes:
        return fault(_OTHER_SCOPE, f"authorization: got the key '{key.name}', which has not the scope {scope}")
    refusal = too_many(service.key_rates.wait(key.name)) if key.name else None
    return key if refusal is None else refusal


def _holder(service: Service, given: str) -> Key | None:
    if service.tokens.is_on and is_token(given):
        return service.tokens.holder(given, service.clock().timestamp())
    return service.keys.holder(given)


def may_not_write(service: Service, request: HTTPConnection, in_body: Any = None) -> Response | None:
    """`refused` of the write key: as any key, or `writeKey` in the body, or in the address as RudderStack's beacons have it."""
    given = given_key(request.scope) or in_body or request.query_params.get("writeKey")
    return refused(service, INGEST, given if isinstance(given, str) else None)


def too_many(seconds: int) -> Response | None:
    """The refusal of who is to come again after so many seconds; None = come in."""
    if not seconds:
        return None
    detail = f"rate: more requests than one caller may send. Send it again in {seconds} s"
    return fault(_TOO_MANY, detail, **{"retry-after": str(seconds)})

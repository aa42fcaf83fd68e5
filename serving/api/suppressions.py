"""POST /api/suppressions: somebody who is to be left alone, or is not any more.

Here at once; for ever in the lake, where it is an event like any other, so that it is in every rebuild, in gold and in every
online store that is filled from it. It is answered when both are safe.
"""

import asyncio
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson

from lakehouse.decisions.visitor import everybody_with, suppression, suppression_key
from lakehouse.errors import StoreError
from lakehouse.events.envelope import SUPPRESS, UNSUPPRESS
from lakehouse.kafka.message import routing_key
from serving.api.kept_in_kafka import keep_in_kafka
from serving.api.outcomes import Unavailable, Unknown
from serving.messages.request_models import Identifier, SuppressionRequest
from serving.service import Service


async def asked_for(service: Service, request: SuppressionRequest) -> dict[str, Any]:
    """As `suppress`, of a caller who is told where nobody could be known by the identifier: whoever asked would not be left alone.

    Raises:
        Unknown: so it is.
        Unavailable: as `suppress`.
    """
    named = request.identifier
    if service.visitors.identifier(named.type, named.value) is None:
        raise Unknown(_unknown(named, sorted(service.config.identity.rules)))
    return await suppress(service, request)


async def suppress(service: Service, request: SuppressionRequest) -> dict[str, Any]:
    """Set what holds for one identifier. A person is left alone while any identifier of theirs is.

    Raises:
        Unavailable: it is not kept everywhere. To be sent again; whoever asked to be left alone is, meanwhile.
    """
    identifier = service.visitors.identifier(request.identifier.type, request.identifier.value)
    if identifier is None:
        return {"is_suppressed": False}
    now = service.clock()
    visitor = await service.visitors.find(identifier, now)
    everybody = everybody_with((identifier,), (visitor.profile,))
    word = suppression(identifier, now, is_suppressed=request.is_suppressed)

    def keep() -> bool:
        service.kept.put([word])
        return any(held is not None for held in service.kept.get(list(map(suppression_key, everybody))))

    try:
        is_suppressed = await asyncio.to_thread(keep)
    except StoreError as error:
        raise Unavailable(f"{error}. It is not kept here yet; send it again") from error
    await keep_in_kafka(service, [_record(request, now)])
    return {"is_suppressed": is_suppressed}


def _unknown(named: Identifier, known: list[str]) -> str:
    if named.type not in known:
        return f"identifier.type: got {named.type[:60]!a}, expected one of {', '.join(known)}"
    return (
        f"identifier.value: no {named.type} of somebody, expected one as events have it; a telephone number with its "
        "country code. Mend the value"
    )


def _record(request: SuppressionRequest, now: datetime) -> tuple[bytes, bytes]:
    """Key and value of the event."""
    named = request.identifier
    message = {
        "messageId": uuid4().hex,
        "type": SUPPRESS if request.is_suppressed else UNSUPPRESS,
        "timestamp": now.isoformat(timespec="milliseconds"),
        "context": {"externalIds": [{"type": named.type, "id": named.value}], "library": {"name": "stitchlake"}},
    }
    return routing_key(None, None, named.value), orjson.dumps(message)

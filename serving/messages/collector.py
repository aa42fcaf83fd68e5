"""The collector: Segment HTTP API. Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/.

An event gets what the sender left out (messageId, type, sentAt) and its time of arrival, goes to Kafka under its
visitor's key, and is answered once the broker has acknowledged it. What the event says is not judged here: the stream
does that, and what it refuses is kept in quarantine with its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson

from lakehouse.errors import StitchlakeError
from lakehouse.kafka.message import routing_key
from serving.messages.limits import is_too_deep

CALLS: Mapping[str, str] = {
    **{name: name for name in ("track", "identify", "page", "screen", "group", "alias")},
    **{"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"},
}
BATCH_BYTES = 500_000
EVENT_BYTES = 32_768
MOST_IN_BATCH = 2_500
_IDENTIFIERS = ("anonymousId", "userId")


class Refused(StitchlakeError):
    """A request that is no event: answered with 400 and this text."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record for the broker and the document it holds."""

    key: bytes
    value: bytes
    event: Mapping[str, Any]


def read(body: bytes, *, most_depth: int) -> dict[str, Any]:
    """One JSON object.

    Raises:
        Refused: it is none, or nests too deep.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"body: no JSON ({error}), expected one object") from error
    if not isinstance(document, dict):
        raise Refused(f"body: got {type(document).__name__}, expected one JSON object")
    if is_too_deep(body, most_depth):
        raise Refused(f"body: more than {most_depth} levels of nesting, expected at most that many")
    return document


def one(call: str, document: Mapping[str, Any], received_at: datetime) -> Record:
    """The record of a single call, such as `track`."""
    return _record(document, {"type": CALLS[call]}, received_at)


def batch(document: Mapping[str, Any], received_at: datetime) -> list[Record]:
    """The records of a batch: its context, integrations and sentAt hold for every event that has none of its own.

    Raises:
        Refused: no list, too many, an event that is no object, has no type or is too large. Nothing of it is sent then.
    """
    events = document.get("batch")
    if not isinstance(events, list):
        raise Refused("batch: missing, expected a list of events")
    if len(events) > MOST_IN_BATCH:
        raise Refused(f"batch: got {len(events)} events, expected at most {MOST_IN_BATCH}. Send several batches")
    common = {name: document[name] for name in ("context", "integrations", "sentAt") if name in document}
    records = []
    for number, event in enumerate(events):
        if not isinstance(event, dict):
            raise Refused(f"batch[{number}]: got {type(event).__name__}, expected an object")
        if not isinstance(event.get("type"), str):
            raise Refused(f"batch[{number}].type: missing, expected one of {', '.join(sorted(set(CALLS.values())))}")
        try:
            records.append(_record(event, common, received_at))
        except Refused as refused:
            raise Refused(f"batch[{number}]: {refused}") from refused
    return records


def of_request(events: Sequence[Mapping[str, Any]], identity: Mapping[str, Any], received_at: datetime) -> list[Record]:
    """The records of events that came inside a decision request, under the identifiers it asked for."""
    records = []
    for event in events:
        context = _merged(identity.get("context", {}), event.get("context", {}))
        document = {**identity, **event, **({"context": context} if context else {})}
        records.append(_record(document, {}, received_at))
    return records


def _record(event: Mapping[str, Any], defaults: Mapping[str, Any], received_at: datetime) -> Record:
    document = {**defaults, **event}
    if isinstance(defaults.get("context"), dict) and isinstance(event.get("context"), dict):
        document["context"] = _merged(defaults["context"], event["context"])
    document.pop("writeKey", None)
    at = received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if not isinstance(document.get("messageId"), str):
        document["messageId"] = uuid4().hex  # as in Segment: a sender that names no id is not deduplicated
    document.setdefault("timestamp", document.get("originalTimestamp", at))
    document["receivedAt"] = at
    value = orjson.dumps(document)
    if len(value) > EVENT_BYTES:
        raise Refused(f"event: got {len(value)} bytes, expected at most {EVENT_BYTES}. Send less in one event")
    anonymous_id, user_id = (_text(document.get(name)) for name in _IDENTIFIERS)
    return Record(key=routing_key(anonymous_id, user_id, *_others(document)), value=value, event=document)


def _others(document: Mapping[str, Any]) -> list[str]:
    """Further identifiers an event may be routed by, strongest first."""
    context = document.get("context")
    traits = document.get("traits") or (context.get("traits") if isinstance(context, dict) else None)
    return [str(traits[name]) for name in ("email", "phone") if name in traits] if isinstance(traits, dict) else []


def _merged(outer: Any, inner: Any) -> dict[str, Any]:
    """Objects merged at every level; what is inside wins."""
    merged = dict(outer) if isinstance(outer, dict) else {}
    for name, value in (inner if isinstance(inner, dict) else {}).items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

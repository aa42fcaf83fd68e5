"""What the collector's routes do: messages to Kafka, and an answer that says of each what became of it."""

import base64
import binascii
import re
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from lakehouse.errors import StoreError
from serving.api.json_responses import answer, fault
from serving.api.kept_in_kafka import not_kept
from serving.api.keys import may_not_write
from serving.deciding.request_context import count_events
from serving.deciding.storage_consent import storable
from serving.kafka.spool import Record
from serving.messages import collector
from serving.messages.content_coding import Damaged, Inflated
from serving.messages.limits import refusal
from serving.messages.plain_body import plain
from serving.service import Service

_REFUSED, _UNKNOWN, _TOO_LARGE, _AWAY = 400, 404, 413, 503
_METRICS = "m"  # where analytics.js and the mobile libraries tell of themselves
_MOST_TOLD = 5
_NOT_STORED = {"cache-control": "no-store"}
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # one transparent point, a GIF
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


async def collected(service: Service, call: str, request: Request, body: bytes) -> Response:
    """Take the messages of a body sent to `/v1/<call>`."""
    if call == _METRICS:
        note = "metrics of libraries are not kept; set metrics.sampleRate to 0 to send none"
        return answer({"success": True, "acknowledged": 0, "note": note})
    if call not in collector.CALLS and call not in collector.BATCHES:
        return fault(_UNKNOWN, f"/v1/{call[:32]}: no such call, expected batch or one of {', '.join(collector.CALLS)}")
    now = service.clock()
    try:
        text = plain(body, request.headers.get("content-type", ""), collector.BATCH_BYTES)
        brought = collector.read(call, text, signals_gpc=request.headers.get("sec-gpc") == "1")
    except (collector.Refused, Damaged) as unread:
        return fault(_REFUSED, str(unread))
    except Inflated as large:
        return fault(_TOO_LARGE, str(large))
    if (no := may_not_write(service, request, brought.write_key)) is not None:
        return no
    records, refused = brought.records(now)
    if refused and not records:
        return _all_refused(refused, "batch[{}]: {}" if call in collector.BATCHES else "{1}")
    try:
        taken = len(records)
        records, withheld = await storable(service, records, now)
    except StoreError as error:
        return fault(_AWAY, f"{error}. Send the request again", **{"retry-after": "1"})
    topic = service.config.kafka.events_topic
    to_keep = [Record(topic, record.key, record.value) for record in records]
    if (not_there := await not_kept(service, to_keep)) is not None:
        return not_there
    count_events(service, [record.event for record in records], now)
    beside = {"refused": _told(refused)} if refused else {}
    return answer({"success": True, "acknowledged": taken, **beside, **({"withheld": withheld} if withheld else {})})


def _all_refused(refused: dict[int, str], words: str) -> Response:
    told = [words.format(index, reason) for index, reason in list(refused.items())[:_MOST_TOLD]]
    more = f"; and {len(refused) - _MOST_TOLD} more" if len(refused) > _MOST_TOLD else ""
    return answer(refusal(_REFUSED, "; ".join(told) + more) | {"refused": _told(refused)}, _REFUSED)


def _told(refused: dict[int, str]) -> list[dict[str, Any]]:
    return [{"index": index, "reason": reason} for index, reason in refused.items()]


async def pixel(service: Service, call: str, request: Request) -> Response:
    """Take one message out of the address, and answer with an image: whoever sends an image's address can read nothing else.

    Its status is honest. The message is `data`, JSON or base64 of it, or every other parameter: `properties.subject=...`.
    """
    if call not in collector.CALLS:
        outcome = fault(_UNKNOWN, f"/v1/pixel/{call[:32]}: no such call, expected one of {', '.join(collector.CALLS)}")
    else:
        outcome = await collected(service, call, request, _in_address(request))
    return Response(_PIXEL, outcome.status_code, _NOT_STORED, "image/gif")


def _in_address(request: Request) -> bytes:
    data = request.query_params.get("data")
    if data is None:
        return orjson.dumps(_tree(dict(request.query_params)))
    if data.lstrip().startswith("{"):
        return data.encode()
    text = data.replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")  # an address turns + into a space
    if _NOT_BASE64.search(text):
        return data.encode()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return data.encode()  # refused as what it is: no JSON


def _tree(parameters: dict[str, str]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`; a name below a value that is no object is left as it is."""
    tree: dict[str, Any] = {}
    for name, value in parameters.items():
        *parents, leaf = name.split(".")
        node: Any = tree
        for parent in parents:
            node = node.setdefault(parent, {}) if isinstance(node, dict) else node
        if isinstance(node, dict):
            node[leaf] = value
        else:
            tree[name] = value
    return tree

"""One `request_id`, one answer: whoever asks again, and whichever process is asked, is answered as at first.

The first answer that is written is the one that holds, and only its decision is kept and logged. It is promised for as long as a
decision is remembered that nobody has shown (serving.exposure_days), while the online store answers and is not emptied.
"""

from typing import Any
from uuid import uuid4

import orjson

from lakehouse.errors import StoreError
from lakehouse.online.store import Document
from serving.deciding.request_context import RequestContext, decision_id_of
from serving.messages.request_models import VisitorRequest
from serving.service import Service

_NOT_KEPT = "online store: the answer to this request_id could not be kept; asked again it may be another"
_MARK_BYTES = 16  # before the answer: whose it is


async def answered_before(service: Service, request: VisitorRequest) -> dict[str, Any] | None:
    """The answer to an earlier request of the same `request_id`; None = there is none, or it cannot be read."""
    if not request.request_id:
        return None
    key = _key(decision_id_of(request))
    try:
        (kept,) = await service.visitors.call(lambda: service.store.get([key]))
    except (StoreError, TimeoutError):
        return None
    return None if kept is None else _answer(kept)


async def answered_meanwhile(
    service: Service, context: RequestContext, answer: dict[str, Any]
) -> dict[str, Any] | None:
    """None: `answer` holds, and its decision is to be kept. Else the answer that another process, or request, was faster with."""
    if not context.request.request_id:
        return None
    mark = uuid4().bytes
    ends_ms = context.now_ms + service.policy.reward.window_ms
    document = Document(_key(context.decision_id), 1, mark + orjson.dumps(answer), ends_ms)

    def keep() -> bytes | None:
        return None if service.store.put([document]) else service.store.get([document.key])[0]

    try:
        kept = await service.visitors.call(keep)
    except (StoreError, TimeoutError):
        answer["degraded"] = True
        answer["degraded_because"].append(_NOT_KEPT)
        return None
    return None if kept is None or kept.startswith(mark) else _answer(kept)


def _key(decision_id: str) -> str:
    return f"answer:{decision_id}"


def _answer(kept: bytes) -> dict[str, Any]:
    return dict(orjson.loads(kept[_MARK_BYTES:]))

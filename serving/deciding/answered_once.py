"""One `request_id`, one answer: whoever asks again, and whichever process is asked, is answered as at first.

The first answer that is written is the one that holds, and only its decision is kept and logged. It is promised for as long as a
decision is remembered that nobody has shown (serving.exposure_days), while the online store answers and is not emptied.

It leaves again as anything leaves: where the gate lets nothing pass any more for one of its purposes, or the identifier stands for
somebody else by now, it is decided anew, and that answer holds.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from lakehouse.decisions.circumstances import circumstances_of
from lakehouse.decisions.decision_record import answer_key
from lakehouse.decisions.gate import Permitted, Use, permit
from lakehouse.decisions.offers import Purpose
from lakehouse.errors import StoreError
from lakehouse.online.store import Document
from serving.deciding.request_context import RequestContext, decision_id_of
from serving.messages.request_models import VisitorRequest
from serving.service import Service

_NOT_KEPT = "online store: the answer to this request_id could not be kept; asked again it may be another"
_MARK_BYTES = 16  # before the answer: whose it is


class Before(NamedTuple):
    """answer: to be given again; None = it is to be decided. version: of the document that keeps the answer then."""

    answer: dict[str, Any] | None
    version: int = 1


async def answered_before(service: Service, request: VisitorRequest, use: Use) -> Before:
    """What was answered to an earlier request of the same `request_id`, where it may leave again."""
    if not request.request_id:
        return Before(None)
    key = answer_key(decision_id_of(request))
    try:
        (kept,) = await service.visitors.call(lambda: service.store.get([key]))
    except (StoreError, TimeoutError):
        return Before(None)
    if kept is None:
        return Before(None)
    if await _may_leave(service, request, use, _read(kept)):
        return Before(_read(kept)["answer"])
    return Before(None, service.now_ms())


async def _may_leave(service: Service, request: VisitorRequest, use: Use, kept: dict[str, Any]) -> bool:
    if not kept["purposes"]:
        return True  # nothing of a person
    now = service.clock()
    visitor = await service.visitors.find(service.visitors.identifier(*request.typed_identifier), now)
    circumstances = circumstances_of(visitor, service.inputs(), now=now, here=request.context.said())
    owner, was = visitor.profile and visitor.profile.profile_id, kept["answer"]["profile_id"]
    return was in (None, owner) and all(
        isinstance(permit(visitor, circumstances, purpose, use), Permitted) for purpose in kept["purposes"]
    )


async def answered_meanwhile(
    service: Service, context: RequestContext, answer: dict[str, Any], purposes: Iterable[Purpose], before: Before
) -> dict[str, Any] | None:
    """None: `answer` holds, and its decision is to be kept. Else the answer that another process, or request, was faster with.

    purposes: what of the answer is personal is for; none = nothing is.
    """
    if not context.request.request_id:
        return None
    mark = uuid4().bytes
    ends_ms = context.now_ms + service.policy.reward.window_ms
    said = orjson.dumps({"purposes": sorted(set(purposes)), "answer": answer})
    document = Document(answer_key(context.decision_id), before.version, mark + said, ends_ms)

    def keep() -> bytes | None:
        return None if service.store.put([document]) else service.store.get([document.key])[0]

    try:
        # An embedded store's writers wait for one another: not on the loop that everybody is answered from.
        kept = await (asyncio.to_thread(keep) if service.store.is_embedded else service.visitors.call(keep))
    except (StoreError, TimeoutError):
        answer["degraded"] = True
        answer["degraded_because"].append(_NOT_KEPT)
        return None
    return None if kept is None or kept.startswith(mark) else _read(kept)["answer"]


def _read(kept: bytes) -> dict[str, Any]:
    return dict(orjson.loads(kept[_MARK_BYTES:]))

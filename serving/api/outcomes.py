"""POST /api/exposures and /api/outcomes: that a decision was shown, and what came of it. Each counts once.

Both are documents that are written once, where they survive a restart of the machine, before they are answered. Sent again they
are told as they were first; everything that follows from them may be done twice and is there once.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from lakehouse.config.declarations import DAY_MS
from lakehouse.decisions import decision_record
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.errors import StitchlakeError, StoreError
from lakehouse.learning import exposure
from lakehouse.learning.exposure import Exposure, exposed, exposure_key, kept_until
from lakehouse.learning.reward import Outcome
from lakehouse.online.store import Document
from serving.deciding.decision_log import keep_exposure, keep_for_life, log
from serving.messages.request_models import ExposureRequest, OutcomeRequest
from serving.service import Service

T = TypeVar("T")


class Unknown(StitchlakeError):
    """What was named is nowhere, such as a decision nobody remembers: answered with 404 and this text."""


class Unavailable(StitchlakeError):
    """Something it needs does not answer: answered with 503, to be sent again."""


class _Remembered(NamedTuple):
    """A decision, and that it was shown; None = nobody has told so."""

    decision: DecisionRecord
    exposure: Exposure | None


async def expose(service: Service, request: ExposureRequest) -> dict[str, Any]:
    """Log that the decision was shown, once for each experiment and person; caps count it, and the policy that chose it."""
    reward = service.policy.reward
    decision, _ = await _recall(service, request.decision_id)
    now_ms = service.now_ms()
    told = exposed(decision, _at_ms(service, request.occurred_at), now_ms, request.shown, reward)

    def keep() -> tuple[Exposure, bool]:
        value, is_new = _kept_once(service, told.document(reward))
        held = told if is_new else exposure.decode(value)
        if held.teaches:
            service.policy.store.wait([held.waiting()])
        keep_for_life(service, held.decision, held.at_ms, held.shown)
        return held, is_new

    held, is_new = await _fact(service, keep)
    keep_exposure(service, held.decision, held.at_ms, held.shown, held.lesson())
    return {"decision_id": decision.decision_id, "logged": is_new, "duplicate": not is_new}


async def record(service: Service, request: OutcomeRequest) -> dict[str, Any]:
    """Log what came of the decision, once for each metric; one of them is what the policy learns from, unless it comes late."""
    reward = service.policy.reward
    decision, shown = await _recall(service, request.decision_id)
    at_ms, now_ms = _at_ms(service, request.occurred_at), service.now_ms()
    is_late = at_ms > decision.at_ms + reward.window_ms if shown is None else shown.is_late(at_ms, now_ms, reward)
    told = Outcome(request.value, at_ms, is_late)
    document = told.document(decision.decision_id, request.metric, kept_until(now_ms, reward))
    value, is_new = await _fact(service, lambda: _kept_once(service, document))
    held = told if is_new else Outcome.decode(value)
    service.counters.outcomes += is_new
    message = decision_record.outcome_message(decision, request.metric, held.value, held.at_ms, is_late=held.is_late)
    log(service, [message])
    return {"decision_id": decision.decision_id, "recorded": is_new, "duplicate": not is_new, "late": held.is_late}


def _kept_once(service: Service, document: Document) -> tuple[bytes, bool]:
    """What is kept under its key by now, and whether it was this document that was written."""
    is_new = service.kept.put([document]) == 1
    (held,) = (document.value,) if is_new else service.kept.get([document.key])
    assert held is not None  # a document of one version is never taken back
    return held, is_new


async def _recall(service: Service, decision_id: str) -> _Remembered:
    key, shown_key = decision_record.key(decision_id), exposure_key(decision_id)

    def read() -> tuple[bytes | None, bytes | None]:
        if service.kept is service.store:
            decided, shown = service.store.get([key, shown_key])
            return decided, shown
        return service.store.get([key])[0], service.kept.get([shown_key])[0]

    waiting = service.pending.documents([key]).get(key)
    decided, shown = await _asked(service, read)
    try:
        if shown is not None:
            held = exposure.decode(shown)
            return _Remembered(held.decision, held)
        if (value := waiting or decided) is not None:
            return _Remembered(decision_record.decode(value), None)
    except StoreError as error:
        raise Unknown(f"decision_id: {error}") from error
    days = service.policy.reward.window_ms // DAY_MS
    raise Unknown(
        f"decision_id: no decision '{decision_id[:64]}' is remembered, expected one the API answered, and that was shown within "
        f"{days} days. Take decision_id from its answer"
    )


async def _fact(service: Service, write: Callable[[], T]) -> T:
    """Do what writes to the kept store. Beside an embedded store that is synced to disk: nobody else waits for it."""
    if not service.kept.is_embedded:
        return await _asked(service, write)
    try:
        return await asyncio.to_thread(write)
    except StoreError as error:
        raise _away(error) from error


async def _asked(service: Service, function: Callable[[], T]) -> T:
    try:
        return await service.visitors.call(function)
    except (StoreError, TimeoutError) as error:
        raise _away(error) from error


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"online store: {error or 'too slow'}. Send it again; what was counted stays counted once")


def _at_ms(service: Service, occurred_at: datetime | None) -> int:
    """When it happened; never after now: a client's clock may be ahead."""
    now = service.clock()
    if occurred_at is None:
        return service.now_ms()
    at = occurred_at if occurred_at.tzinfo else occurred_at.replace(tzinfo=now.tzinfo)
    return int(min(at, now).timestamp() * 1000)

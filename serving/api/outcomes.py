"""POST /api/exposures and /api/outcomes: that a decision was shown, and what came of it. Each counts once."""

from datetime import datetime
from typing import Any

from lakehouse.decisions import decision_record
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.errors import StitchlakeError, StoreError
from serving.deciding.decision_log import keep_exposure, log
from serving.messages.request_models import ExposureRequest, OutcomeRequest
from serving.service import Service

DAY_SECONDS = 86_400
_REMEMBERED_DAYS = 35  # how long a repeated message is known for one


class Unknown(StitchlakeError):
    """No decision of that id is remembered: answered with 404 and this text."""


class Unavailable(StitchlakeError):
    """The store cannot be asked: answered with 503, to be sent again; nothing was counted."""


async def expose(service: Service, request: ExposureRequest) -> dict[str, Any]:
    """Log that the decision was shown, once for each experiment and person; caps count it."""
    decision = await _recall(service, request.decision_id)
    at_ms = _at_ms(service, request.occurred_at)
    is_new = await _claim(service, f"x:{decision.decision_id}", at_ms)
    if is_new:
        keep_exposure(service, decision, at_ms, request.shown)
    return {"decision_id": decision.decision_id, "logged": is_new, "duplicate": not is_new}


async def record(service: Service, request: OutcomeRequest) -> dict[str, Any]:
    """Log what came of the decision, once for each metric; the policy learns from it unless it comes late."""
    decision = await _recall(service, request.decision_id)
    at_ms = _at_ms(service, request.occurred_at)
    is_new = await _claim(service, f"o:{decision.decision_id}:{request.metric}", at_ms)
    is_late = at_ms - decision.at_ms > service.config.serving.exposure_days * DAY_SECONDS * 1000
    if is_new:
        service.counters.outcomes += 1
        log(service, [decision_record.outcome_message(decision, request.metric, request.value, at_ms)])
        if not is_late and decision.kind == "offer" and not decision.is_forced:
            service.policy.observe(decision.action, decision.features, request.value)
    return {"decision_id": decision.decision_id, "recorded": is_new, "duplicate": not is_new, "late": is_late}


async def _recall(service: Service, decision_id: str) -> DecisionRecord:
    key = decision_record.key(decision_id)
    value = service.pending.documents([key]).get(key)
    if value is None:
        try:
            (value,) = await service.visitors.call(lambda: service.store.get([key]))
        except (StoreError, TimeoutError) as error:
            raise _away(error) from error
    if value is None:
        raise Unknown(
            f"decision_id: no decision '{decision_id[:64]}' is remembered, expected one the API answered. "
            "Take decision_id from its answer"
        )
    return decision_record.decode(value)


async def _claim(service: Service, key: str, now_ms: int) -> bool:
    seconds = _REMEMBERED_DAYS * DAY_SECONDS
    try:
        return await service.visitors.call(lambda: service.store.claim(key, seconds=seconds, now_ms=now_ms))
    except (StoreError, TimeoutError) as error:
        raise _away(error) from error


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"online store: {error or 'too slow'}. Nothing was counted; send it again")


def _at_ms(service: Service, occurred_at: datetime | None) -> int:
    """When it happened; never after now: a client's clock may be ahead."""
    now = service.clock()
    if occurred_at is None:
        return int(now.timestamp() * 1000)
    at = occurred_at if occurred_at.tzinfo else occurred_at.replace(tzinfo=now.tzinfo)
    return int(min(at, now).timestamp() * 1000)

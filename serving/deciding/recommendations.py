"""POST /api/personalized-recommendations: products for somebody, here and now, and the rung they came from.

model       item similarity, factors and popularity, folded in with what the visitor did just now
cached      the visitor's last good answer, when the store or the model is away
popularity  what everybody likes: also for those who do not want to be known, and under pressure
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from lakehouse.decisions.recommend import Propose, recommend
from lakehouse.decisions.remembered import Remembered
from lakehouse.decisions.trace import Trace
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from serving.api.requests import RecommendationRequest
from serving.deciding.question import Asking, ask, remember, settled
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
UNPERSONAL = "no consent to personalization, or held out of it by an experiment: what everybody likes"


async def recommendations(service: Service, request: RecommendationRequest) -> dict[str, Any]:
    """See serving/api/answers.py: RecommendationAnswer."""
    is_pressed = service.pressure.is_high
    asking = await ask(service, request, is_pressed=is_pressed)
    trace = Trace(is_wanted=request.explain)
    consent = asking.visitor.consent(assumed=service.config.consent.assumed)
    is_tried = any(arm.recommendations == "popularity" for arm in asking.arms.values()) or asking.held_out is not None
    is_personal = consent["personalization"] and not (asking.visitor.is_suppressed or is_pressed or is_tried)
    model = _model(service, asking)
    rung, items = _climb(service, asking, model, trace, is_personal=is_personal)
    if rung == "model" and not asking.missing and is_personal:
        service.last_answers.keep(asking.visitor.name, items, asking.now.timestamp())
    events = await settled(asking)
    decision = Remembered(
        decision_id=asking.decision_id,
        kind="products",
        unit=asking.visitor.unit,
        at_ms=asking.now_ms,
        action=",".join(item.product_id for item in items),
        propensity=1.0,
        is_forced=False,
        policy="recommendations",
        policy_version="none" if model is None else model.version,
        shown_on=asking.visitor.shown_on,
        experiments=asking.arm_names,
        context=request.context.said(),
    )
    remember(service, decision, [item.product_id for item in items])
    return asking.answer(service, rung, trace, events, decision.policy_version, decision.policy_version) | {
        "items": [
            {"product_id": item.product_id, "rank": rank, "score": item.score, "reason": item.reason}
            for rank, item in enumerate(items, 1)
        ]
    }


def _model(service: Service, asking: Asking) -> Recommender | None:
    model = service.recommender.current
    if model is None:
        asking.missing.append("recommender: none that can be used; the service's log says why")
    return model


def _climb(
    service: Service, asking: Asking, model: Recommender | None, trace: Trace, *, is_personal: bool
) -> tuple[str, list[Proposal]]:
    """The first rung that holds, and what stands on it."""
    if not is_personal:
        trace.add("consent", UNPERSONAL if not asking.is_pressed else "under pressure: what everybody likes")
    elif model is not None and not asking.visitor.missing:
        try:
            return "model", _chosen(
                service, asking, trace, lambda count: _proposals(service, asking, model, count), model
            )
        except Exception:  # whatever a model does wrong, the visitor gets an answer
            log.exception("recommender %s: failed", model.version)
            asking.missing.append(f"recommender {model.version}: failed")
    if is_personal or asking.visitor.missing:
        kept = service.last_answers.of(asking.visitor.name, asking.now.timestamp())
        if kept and _may_be_known(asking):
            trace.add("fallback", "the last good answer")
            return "cached", _chosen(service, asking, trace, lambda _: kept, model)
    trace.add("fallback", "what everybody likes")
    return "popularity", _chosen(service, asking, trace, lambda count: _popular(service, asking, model, count), model)


def _may_be_known(asking: Asking) -> bool:
    """Whether nobody has heard, just now, that this visitor does not want to be known."""
    return asking.visitor.recent.consent.get("personalization") is not False and not asking.visitor.is_suppressed


def _chosen(
    service: Service, asking: Asking, trace: Trace, propose: Propose, model: Recommender | None
) -> list[Proposal]:
    assert isinstance(asking.request, RecommendationRequest)
    return recommend(
        propose,
        asking.rules,
        trace,
        count=asking.request.count,
        excluded=asking.visitor.bought | service.stock.unavailable | _viewing(asking),
        category_of=(lambda _: None) if model is None else model.category_of,
    )


def _proposals(service: Service, asking: Asking, model: Recommender, count: int) -> Sequence[Proposal]:
    here = asking.request.context
    return model.propose(
        asking.visitor.recent.actions,
        now_ms=asking.now_ms,
        viewing=here.product_id,
        bought=asking.visitor.bought,
        unavailable=service.stock.unavailable,
        count=count,
        category=here.category,
        segment=segment if isinstance(segment := asking.context["segment"], str) else None,
        explain=asking.request.explain,
    )


def _popular(service: Service, asking: Asking, model: Recommender | None, count: int) -> Iterable[Proposal]:
    """In memory since the last model that could be read; nothing when there never was one."""
    if model is None:
        return ()
    return model.propose(
        [],
        now_ms=asking.now_ms,
        bought=asking.visitor.bought,
        unavailable=service.stock.unavailable,
        count=count,
        category=asking.request.context.category,
    )


def _viewing(asking: Asking) -> frozenset[str]:
    viewing = asking.request.context.product_id
    return frozenset() if viewing is None else frozenset({viewing})

"""POST /api/personalized-recommendations: products for somebody, here and now, and the rung they came from.

model       item similarity, factors and popularity, folded in with what the visitor did just now
cached      the visitor's last good answer, when the model is away
popularity  what everybody likes: also for those who do not want to be known or cannot be looked up, and under pressure

For whom nothing personal may be shown, rules know nothing of them either: of those that tell people apart only what forbids holds.
"""

import logging
from typing import Any

from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.decisions.product_choice import Asked, personal_list, popular_list, recommend
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import Rule
from serving.deciding.decision_log import keep_decision
from serving.deciding.request_context import RequestContext, await_events, read_context
from serving.messages.request_models import RecommendationRequest
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
UNPERSONAL = "no consent to personalization, or held out of it by an experiment: what everybody likes"


async def recommendations(service: Service, request: RecommendationRequest) -> dict[str, Any]:
    """See serving/messages/answer_models.py: RecommendationAnswer."""
    is_pressed = service.pressure.is_high
    context = await read_context(service, request, is_pressed=is_pressed)
    trace = Trace(is_wanted=request.explain)
    is_personal = _is_personal(context)
    model = _model(service, context)
    rung, items = _climb(service, context, model, trace, is_personal=is_personal)
    if rung == "model" and not context.missing and is_personal:
        service.last_answers.keep(context.visitor.name, items, context.circumstances.now.timestamp())
    events = await await_events(context)
    decision = DecisionRecord(
        decision_id=context.decision_id,
        kind="products",
        unit=context.visitor.unit,
        at_ms=context.now_ms,
        action=",".join(item.product_id for item in items),
        propensity=1.0,
        is_forced=False,
        policy="recommendations",
        policy_version="none" if model is None else model.version,
        shown_on=context.visitor.shown_on,
        experiments=context.circumstances.logged_arms,
        context=request.context.said(),
    )
    keep_decision(service, decision, [item.product_id for item in items])
    return context.answer(service, rung, trace, events, decision.policy_version, decision.policy_version) | {
        "items": [
            {"product_id": item.product_id, "rank": rank, "score": item.score, "reason": item.reason}
            for rank, item in enumerate(items, 1)
        ]
    }


def _is_personal(context: RequestContext) -> bool:
    circumstances = context.circumstances
    is_popularity_arm = any(arm.recommendations == "popularity" for arm in circumstances.arms.values())
    return circumstances.consent["personalization"] and not (
        context.visitor.is_suppressed or context.is_pressed or circumstances.held_out is not None or is_popularity_arm
    )


def _model(service: Service, context: RequestContext) -> Recommender | None:
    model = service.recommender.current
    if model is None:
        context.missing.append("recommender: none that can be used; the service's log says why")
    return model


def _climb(
    service: Service, context: RequestContext, model: Recommender | None, trace: Trace, *, is_personal: bool
) -> tuple[str, list[Proposal]]:
    """The first rung that holds, and what stands on it."""
    asked, rules = _asked(context), context.circumstances.rules
    if not is_personal:
        trace.add("consent", UNPERSONAL if not context.is_pressed else "under pressure: what everybody likes")
    elif model is not None and not context.visitor.missing:
        try:
            return "model", personal_list(model, asked, rules, trace)
        except Exception:  # whatever a model does wrong, the visitor gets an answer
            log.exception("recommender %s: failed", model.version)
            context.missing.append(f"recommender {model.version}: failed")
    if is_personal:
        kept = service.last_answers.of(context.visitor.name, context.circumstances.now.timestamp())
        if kept:
            trace.add("fallback", "the last good answer")
            return "cached", recommend(lambda _: kept, rules, trace, asked=asked, model=model)
    trace.add("fallback", "what everybody likes")
    # In memory since the last model that could be read; rules alone when there never was one.
    return "popularity", popular_list(
        model, asked, rules if is_personal else _rules_for_anybody(service, context), trace
    )


def _rules_for_anybody(service: Service, context: RequestContext) -> list[Rule]:
    """Rules that hold where the visitor is, whoever they are; and whatever forbids, which spares everybody something."""
    here, now = context.request.context.said(), context.circumstances.now
    anybody = Visitor(identifier=None, profile=None, recent=recent_behaviour([], now))
    book = service.rules.current
    of_anybody = () if book is None else book.matching(context_of(anybody, here, now=now))
    forbidding = (rule for rule in context.circumstances.rules if rule.effect == "forbid")
    return [*forbidding, *(rule for rule in of_anybody if rule.effect != "forbid")]


def _asked(context: RequestContext) -> Asked:
    assert isinstance(context.request, RecommendationRequest)
    here = context.request.context
    return Asked(
        count=context.request.count,
        now_ms=context.now_ms,
        actions=context.visitor.recent.actions,
        last_bought=context.visitor.last_bought,
        unavailable=context.circumstances.unavailable,
        viewing=here.product_id,
        category=here.category,
        segment=segment if isinstance(segment := context.circumstances.context["segment"], str) else None,
        explain=context.request.explain,
    )

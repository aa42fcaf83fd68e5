"""POST /api/personalized-recommendations: products for somebody, here and now, and the rung they came from.

model       item similarity, factors and popularity, folded in with what the visitor did just now
cached      the visitor's last good answer, when the model is away
popularity  what everybody likes: also for those who do not want to be known or cannot be looked up, and under pressure

What is personal is made from `Permitted[Visitor]`, which the gate alone gives. For whom nothing personal may be shown, the list is
made from where they are, and nothing of who they are: neither purchases nor rules that tell people apart, but those that forbid.
"""

import logging
from dataclasses import replace
from typing import Any

from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.decisions.gate import Permitted, Refused, permit
from lakehouse.decisions.offers import Purpose
from lakehouse.decisions.product_choice import Asked, personal_list, popular_list, recommend
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import Rule
from serving.deciding.answered_once import answered_before, answered_meanwhile
from serving.deciding.decision_log import keep_decision
from serving.deciding.request_context import RequestContext, await_events, read_context
from serving.messages.request_models import RecommendationRequest
from serving.service import Service

log = logging.getLogger("stitchlake.serving")


async def recommendations(service: Service, request: RecommendationRequest) -> dict[str, Any]:
    """See serving/messages/answer_models.py: RecommendationAnswer."""
    before = await answered_before(service, request, "products")
    if before.answer is not None:
        return before.answer
    is_pressed = service.pressure.is_high
    context = await read_context(service, request, is_pressed=is_pressed)
    trace = Trace(is_wanted=request.explain)
    model = _model(service, context)
    passed = permit(context.visitor, context.circumstances, "personalization", "products")
    rung, items = _climb(service, context, passed, model, trace)
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
        context=context.here,
    )
    answer = context.answer(service, rung, trace, events, decision.policy_version, decision.policy_version) | {
        "items": [
            {"product_id": item.product_id, "rank": rank, "score": item.score, "reason": item.reason}
            for rank, item in enumerate(items, 1)
        ]
    }
    purposes: list[Purpose] = ["personalization"] if isinstance(passed, Permitted) else []
    if (meanwhile := await answered_meanwhile(service, context, answer, purposes, before)) is not None:
        return meanwhile
    keep_decision(service, decision, [item.product_id for item in items])
    return answer


def _model(service: Service, context: RequestContext) -> Recommender | None:
    model = service.recommender.current
    if model is None:
        context.missing.append("recommender: none that can be used; the service's log says why")
    return model


def _climb(
    service: Service,
    context: RequestContext,
    passed: Permitted[Visitor] | Refused,
    model: Recommender | None,
    trace: Trace,
) -> tuple[str, list[Proposal]]:
    """The first rung that holds, and what stands on it."""
    if not isinstance(passed, Permitted):
        trace.add("consent", f"{passed.reason}: what everybody likes")
        return "popularity", popular_list(model, _asked(context), _rules_for_anybody(service, context), trace)
    asked, rules = _asked_for(context, passed), passed.circumstances.rules
    kept_under, now = _kept_under(passed), context.circumstances.now.timestamp()
    if model is not None:
        try:
            items = personal_list(model, asked, rules, trace)
        except Exception:  # whatever a model does wrong, the visitor gets an answer
            log.exception("recommender %s: failed", model.version)
            context.missing.append(f"recommender {model.version}: failed")
        else:
            if not context.missing:
                service.last_answers.keep(kept_under, items, now)
            return "model", items
    if kept := service.last_answers.of(kept_under, now):
        trace.add("fallback", "the last good answer")
        return "cached", recommend(lambda _: kept, rules, trace, asked=asked, model=model)
    trace.add("fallback", "what everybody likes")
    # In memory since the last model that could be read; rules alone when there never was one.
    return "popularity", popular_list(model, asked, rules, trace)


def _kept_under(permitted: Permitted[Visitor]) -> str:
    """Of whom an answer is kept: who an identifier stands for may change, and what was said to one is not said to the next."""
    visitor = permitted.what
    return visitor.name if visitor.profile is None else f"{visitor.name} {visitor.profile.profile_id}"


def _rules_for_anybody(service: Service, context: RequestContext) -> list[Rule]:
    """Rules that hold where the visitor is, whoever they are; and whatever forbids, which spares everybody something."""
    here, now = context.here, context.circumstances.now
    anybody = Visitor(identifier=None, profile=None, recent=recent_behaviour([], now))
    book = service.rules.current
    of_anybody = () if book is None else book.matching(context_of(anybody, here, now=now))
    forbidding = (rule for rule in context.circumstances.rules if rule.effect == "forbid")
    return [*forbidding, *(rule for rule in of_anybody if rule.effect != "forbid")]


def _asked(context: RequestContext) -> Asked:
    """Where and when a list is made, and nothing of who it is for."""
    assert isinstance(context.request, RecommendationRequest)
    here = context.request.context
    return Asked(
        count=context.request.count,
        now_ms=context.now_ms,
        unavailable=context.circumstances.unavailable,
        viewing=here.product_id,
        category=here.category,
        explain=context.request.explain,
    )


def _asked_for(context: RequestContext, permitted: Permitted[Visitor]) -> Asked:
    visitor, segment = permitted.what, context.circumstances.context["segment"]
    return replace(
        _asked(context),
        actions=visitor.recent.actions,
        last_bought=visitor.last_bought,
        segment=segment if isinstance(segment, str) else None,
    )

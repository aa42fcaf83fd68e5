"""POST /api/decide: the next best action for somebody, here and now, among the offers of conf/offers.yaml."""

from typing import Any

from lakehouse.decisions.decide import CERTAIN, OfferRequest, Ranked, decide
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.decisions.trace import Trace
from serving.deciding.answered_once import answered_before, answered_meanwhile
from serving.deciding.decision_log import keep_decision
from serving.deciding.request_context import await_events, read_context
from serving.messages.request_models import DecisionRequest
from serving.service import Service

NONE = "none"


async def next_best_action(service: Service, request: DecisionRequest) -> dict[str, Any]:
    """See serving/messages/answer_models.py: DecisionAnswer."""
    before = await answered_before(service, request, "offer")
    if before.answer is not None:
        return before.answer
    is_pressed = service.pressure.is_high
    context = await read_context(service, request, is_pressed=is_pressed)
    circumstances, trace = context.circumstances, Trace(is_wanted=request.explain)
    if circumstances.catalogue is None:
        context.missing.append("offers: none could be read; the service's log says why")
    is_greedy = is_pressed or circumstances.is_greedy
    offer_request = OfferRequest(
        channel=request.context.channel,
        offers=request.offers,
        explorer=service.policy.explorer(context.decision_id, context.visitor.profile, is_greedy=is_greedy),
        trace=trace,
    )
    decided = decide(offer_request, circumstances)
    events = await await_events(context)
    first = decided.ranked[0] if decided.ranked else None
    chosen_by = decided.chosen_by or service.policy.learning
    decision = DecisionRecord(
        decision_id=context.decision_id,
        kind="offer",
        unit=context.visitor.unit,
        at_ms=context.now_ms,
        action=NONE if first is None else first.offer.name,
        propensity=CERTAIN if first is None else first.propensity or CERTAIN,
        is_forced=decided.is_forced,
        policy=chosen_by.policy,
        policy_version=chosen_by.version,
        shown_on=context.visitor.shown_on,
        experiments=circumstances.logged_arms,
        features=decided.features,
        rule=decided.rule,
        context=context.here,
    )
    rung = "popularity" if context.missing else "model"
    answer = context.answer(service, rung, trace, events, None, decision.policy_version, decided.silence) | {
        "action": decision.action,
        "offers": [_shown(ranked, rank) for rank, ranked in enumerate(decided.ranked, 1)],
    }
    purposes = [ranked.offer.purpose for ranked in decided.ranked]
    if (meanwhile := await answered_meanwhile(service, context, answer, purposes, before)) is not None:
        return meanwhile
    keep_decision(service, decision, [ranked.offer.name for ranked in decided.ranked])
    return answer


def _shown(ranked: Ranked, rank: int) -> dict[str, Any]:
    offer = ranked.offer
    return {
        "name": offer.name,
        "title": offer.title,
        "rank": rank,
        "score": ranked.score,
        "reason": ranked.reason,
        "propensity": ranked.propensity,
        "content": offer.content,
    }

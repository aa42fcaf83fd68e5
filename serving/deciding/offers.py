"""POST /api/decide: the next best action for somebody, here and now, among the offers of conf/offers.yaml."""

from collections.abc import Mapping
from typing import Any

from lakehouse.decisions.decide import CERTAIN, Decided, Explored, decide
from lakehouse.decisions.eligibility import Circumstances
from lakehouse.decisions.remembered import Remembered
from lakehouse.decisions.trace import Trace
from serving.api.requests import DecisionRequest
from serving.deciding.question import Asking, ask, remember, settled
from serving.service import Service

NONE = "none"


async def next_best_action(service: Service, request: DecisionRequest) -> dict[str, Any]:
    """See serving/api/answers.py: DecisionAnswer."""
    is_pressed = service.pressure.is_high
    asking = await ask(service, request, is_pressed=is_pressed)
    trace = Trace(is_wanted=request.explain)
    is_greedy = is_pressed or any(arm.offers == "greedy" for arm in asking.arms.values())
    explorer = service.learning.explorer(asking.decision_id, is_greedy=is_greedy)
    decided = choose(service, asking, request.context.channel, explorer, trace, only=request.offers)
    events = await settled(asking)
    first = decided.ranked[0] if decided.ranked else None
    decision = Remembered(
        decision_id=asking.decision_id,
        kind="offer",
        unit=asking.visitor.unit,
        at_ms=asking.now_ms,
        action=NONE if first is None else first.offer.name,
        propensity=CERTAIN if first is None else first.propensity or CERTAIN,
        is_forced=decided.is_forced,
        policy=service.config.serving.policy,
        policy_version=service.learning.version,
        shown_on=asking.visitor.shown_on,
        experiments=asking.arm_names,
        features=() if first is None or decided.is_forced else service.learning.features(asking.context),
        context=request.context.said() | ({"rule": decided.rule} if decided.rule else {}),
    )
    remember(service, decision, [ranked.offer.name for ranked in decided.ranked])
    rung = "popularity" if asking.missing else "model"
    return asking.answer(service, rung, trace, events, None, service.learning.version, decided.silence) | {
        "action": decision.action,
        "offers": [_shown(ranked, rank) for rank, ranked in enumerate(decided.ranked, 1)],
    }


def choose(
    service: Service, asking: Asking, channel: str, explorer: Any, trace: Trace, *, only: tuple[str, ...] = ()
) -> Decided:
    """Decide for whoever asks; silent while there is no catalogue, and to those who are to be left alone."""
    catalogue = service.catalogue.current
    if catalogue is None:
        asking.missing.append("offers: none could be read; the service's log says why")
        return Decided(silence="no catalogue of offers")
    seen = Circumstances(
        now=asking.now,
        channel=channel,
        context=asking.context,
        shown=asking.visitor.recent.exposures,
        unavailable=service.stock.unavailable,
        consent=asking.visitor.consent(assumed=service.config.consent.assumed),
    )
    return decide(catalogue, asking.rules, seen, explorer, trace, only=only, silence=_silence(asking))


def _silence(asking: Asking) -> str | None:
    if asking.visitor.is_suppressed:
        return "suppressed"
    if asking.held_out is not None or any(arm.offers == "none" for arm in asking.arms.values()):
        return "held out of every offer by an experiment"
    if asking.visitor.missing:
        return "consent cannot be looked up"
    return None


def _shown(ranked: Any, rank: int) -> Mapping[str, Any]:
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


__all__ = ["NONE", "Explored", "choose", "next_best_action"]

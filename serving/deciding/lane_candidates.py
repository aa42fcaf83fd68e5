"""Decisions that the stream proposes: each candidate is decided on in full, once, and pushed to whoever listens.

The stream knows the event only. Here the whole rule is evaluated with the profile and the newest behaviour, and
consent, caps and eligibility hold as for any decision. Candidates come at least once; a decision_id counts once.
What a rule says to a destination is decided by the background process: serving/background/rule_actions.py.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

import orjson

from lakehouse.decisions.decide import CERTAIN
from lakehouse.decisions.exposures import rule_cap
from lakehouse.decisions.remembered import Remembered
from lakehouse.decisions.streamed import certain, rules_with
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.lane.candidate import Candidate
from lakehouse.rules.book import Rule, RuleBook
from serving.api.outcomes import note
from serving.api.requests import DecisionRequest
from serving.api.requests import Identifier as Asked
from serving.deciding.offers import choose
from serving.deciding.question import Asking, remember
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
_MOST_SEEN = 200_000
_MOST_AGE_MS = 3_600_000  # what the stream replays from before is not news to anybody


class Lane:
    """Handles the records of the decisions topic, in the loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, values: Sequence[bytes]) -> None:
        for value in values:
            candidate = Candidate.decode(value)
            if candidate is not None and self._is_new(candidate.decision_id):
                task = asyncio.get_running_loop().create_task(self._decide(candidate))
                self._tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a candidate of the stream was not decided on: %r", error)

    def _is_new(self, decision_id: str) -> bool:
        if decision_id in self._seen:
            return False
        self._seen[decision_id] = None
        if len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
        return True

    async def _decide(self, candidate: Candidate) -> None:
        service = self._service
        book = service.rules.current
        rule = None if book is None else book.by_name.get(candidate.rule)
        now = service.clock()
        if book is None or rule is None or now.timestamp() * 1000 - candidate.occurred_ms > _MOST_AGE_MS:
            return
        keys = list(candidate.keys())
        service.pending.append(candidate.entries())  # the event itself counts, whoever is faster
        asked = service.visitors.strongest(candidate.identifiers)
        visitor = await service.visitors.find(asked, now)
        context = context_of(visitor, {}, now=now, event=candidate.context())
        if not book.holds(rule, context) or rule_cap(rule, visitor.recent.exposures, now) is not None:
            return
        asking = _asking(service, candidate, rule, book, visitor, context, now)
        if visitor.profile is not None:
            keys += [f"{type_}:{token}" for type_, token in visitor.profile.identifiers]
        self._push(asking, rule, keys)

    def _push(self, asking: Asking, rule: Rule, keys: Sequence[str]) -> None:
        service = self._service
        decided = choose(service, asking, "web", certain, Trace(is_wanted=False), only=(rule.offer or "",))
        if not decided.ranked or not service.sockets.listeners(keys):
            return
        offer = decided.ranked[0].offer
        message = {
            "decision_id": asking.decision_id,
            "offer": offer.name,
            "title": offer.title,
            "content": offer.content,
            "reason": f"rule {rule.name}",
            "rules_version": asking.rules_version,
            "decided_at": asking.now_ms,
        }
        service.sockets.push(keys, orjson.dumps(message))
        decision = Remembered(
            decision_id=asking.decision_id,
            kind="offer",
            unit=asking.visitor.unit,
            at_ms=asking.now_ms,
            action=offer.name,
            propensity=CERTAIN,
            is_forced=True,
            policy="lane",
            policy_version=asking.rules_version,
            shown_on=asking.visitor.shown_on,
            experiments={},
            context={"rule": rule.name},
        )
        remember(service, decision, [offer.name])
        note(service, decision, asking.now_ms)


def _asking(
    service: Service,
    candidate: Candidate,
    rule: Rule,
    book: RuleBook,
    visitor: Visitor,
    context: dict[str, object],
    now: datetime,
) -> Asking:
    experiments = service.experiments.current
    return Asking(
        decision_id=candidate.decision_id,
        now=now,
        request=DecisionRequest(identifier=Asked(type="anonymous_id", value="-")),
        visitor=visitor,
        context=context,
        rules=rules_with(book, rule, context),
        rules_version=book.version,
        arms={},
        held_out=None if experiments is None else experiments.held_out(visitor.unit),
        is_pressed=False,
        sent=[],
        missing=list(visitor.missing),
    )

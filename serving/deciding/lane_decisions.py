"""Decisions that the stream proposes: each candidate is decided on in full, once, and pushed to whoever listens.

The stream knows the event only. Here the whole rule is evaluated with the profile and the newest behaviour, and
consent, caps and eligibility hold as for any decision. Candidates come at least once; a decision_id counts once.
What a rule says to a destination is decided by the background process: serving/background/rule_actions.py.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

import orjson

from lakehouse.decisions.circumstances import circumstances_of
from lakehouse.decisions.decide import CERTAIN, OfferRequest, decide
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.decisions.gate import Permitted
from lakehouse.decisions.offers import Offer
from lakehouse.lane.candidate import Candidate
from serving.deciding.decision_log import keep_decision, keep_exposure, keep_for_life
from serving.deciding.request_context import remember_unit
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
_MOST_SEEN = 200_000
_MOST_AGE_MS = 3_600_000  # what the stream replays from before is not news to anybody


class LaneDecisions:
    """Handles the records of the decisions topic, in the loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, values: Sequence[bytes]) -> None:
        """Decide on each candidate that is new, in a task of its own. Never raises."""
        for value in values:
            candidate = Candidate.decode(value)
            if candidate is None or candidate.is_bot(self._service.reader):
                continue
            if self._is_new(candidate.decision_id):
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
        book, now = service.rules.current, service.clock()
        is_known = book is not None and candidate.rule in book.by_name
        if not is_known or now.timestamp() * 1000 - candidate.occurred_ms > _MOST_AGE_MS:
            return
        service.pending.append(candidate.entries())  # the event itself counts, whoever is faster
        who = service.visitors.strongest(candidate.identifiers)
        visitor = await service.visitors.find(who, now, others=candidate.identifiers)
        circumstances = circumstances_of(visitor, service.inputs(), now=now, event=candidate.context())
        remember_unit(service, circumstances)
        decided = decide(OfferRequest(channel="web", rule=candidate.rule), circumstances)
        keys = list(candidate.keys())
        if visitor.profile is not None:
            keys += [f"{type_}:{token}" for type_, token in visitor.profile.identifiers]
        if not decided.ranked:
            return
        if not service.sockets.listeners(keys):
            service.sockets.missed(keys, candidate.decision_id)
            return
        decision = self._push(candidate, decided.ranked[0].permitted, keys)
        await asyncio.to_thread(keep_for_life, service, decision, decision.at_ms)

    def _push(self, candidate: Candidate, permitted: Permitted[Offer], keys: Sequence[str]) -> DecisionRecord:
        service, offer, circumstances = self._service, permitted.what, permitted.circumstances
        visitor = circumstances.visitor
        at_ms = int(circumstances.now.timestamp() * 1000)
        message = {
            "decision_id": candidate.decision_id,
            "offer": offer.name,
            "title": offer.title,
            "content": offer.content,
            "reason": f"rule {candidate.rule}",
            "rules_version": circumstances.rules_version,
            "decided_at": at_ms,
        }
        service.sockets.push(keys, candidate.decision_id, permitted.put_as(orjson.dumps(message)))
        decision = DecisionRecord(
            decision_id=candidate.decision_id,
            kind="offer",
            unit=visitor.unit,
            at_ms=at_ms,
            action=offer.name,
            propensity=CERTAIN,
            is_forced=True,
            policy="lane",
            policy_version=circumstances.rules_version,
            shown_on=visitor.shown_on,
            experiments={},  # an arm without offers is pushed nothing: exposures of the other arm alone would be lopsided
            rule=candidate.rule,
        )
        keep_decision(service, decision, [offer.name], is_shown=True)
        keep_exposure(service, decision, at_ms)
        return decision

"""Decisions that the stream proposes: each candidate is decided on in full, once, and pushed to whoever listens.

The stream knows the event only. Here the whole rule is evaluated with the profile and the newest behaviour, and
consent, caps and eligibility hold as for any decision. Candidates come at least once; a decision_id counts once.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from lakehouse.decisions.decide import CERTAIN, Explored
from lakehouse.decisions.remembered import Remembered
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.identity.identifier import Identifier
from lakehouse.online.recent_entries import Placed, entries_of
from lakehouse.rules.book import Rule, RuleBook
from serving.asking import Asking, remember
from serving.offers import choose
from serving.outcomes import note
from serving.requests import DecisionRequest
from serving.requests import Identifier as Asked
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
            candidate = _read(value)
            if candidate is not None and self._is_new(candidate["decision_id"]):
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

    async def _decide(self, candidate: dict[str, Any]) -> None:
        service = self._service
        book = service.rules.current
        rule = None if book is None else book.by_name.get(candidate["rule"])
        now = service.clock()
        if book is None or rule is None or now.timestamp() * 1000 - candidate["occurred_at"] > _MOST_AGE_MS:
            return
        identifiers: list[Identifier] = [(type_, token) for type_, token in candidate["identifiers"]]
        keys = [f"{type_}:{token}" for type_, token in identifiers]
        if candidate.get("session_id"):
            keys.append(f"session:{candidate['session_id']}")
        service.pending.append(_entries(candidate, identifiers))  # the event itself counts, whoever is faster
        asked = service.visitors.strongest(identifiers)
        visitor = await service.visitors.find(asked, now)
        context = context_of(visitor, {}, now=now, event=_event(candidate))
        if not book.holds(rule, context):
            return
        asking = _asking(service, candidate, rule, book, visitor, context, now)
        if visitor.profile is not None:
            keys += [f"{type_}:{token}" for type_, token in visitor.profile.identifiers]
        self._push(asking, rule, keys)

    def _push(self, asking: Asking, rule: Rule, keys: Sequence[str]) -> None:
        service = self._service
        decided = choose(service, asking, "web", _certain, Trace(is_wanted=False), only=(rule.offer or "",))
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


def _certain(worths: Any, _: Any) -> Explored:
    """A rule has chosen already."""
    first = next(iter(worths))
    return Explored(first=first, propensity=CERTAIN, chances=dict.fromkeys(worths, 1.0))


def _asking(
    service: Service,
    candidate: dict[str, Any],
    rule: Rule,
    book: RuleBook,
    visitor: Visitor,
    context: dict[str, object],
    now: datetime,
) -> Asking:
    experiments = service.experiments.current
    return Asking(
        decision_id=candidate["decision_id"],
        now=now,
        request=DecisionRequest(identifier=Asked(type="anonymous_id", value="-")),
        visitor=visitor,
        context=context,
        rules=[other for other in book.matching(context) if other.effect == "forbid"] + [rule],
        rules_version=book.version,
        arms={},
        held_out=None if experiments is None else experiments.held_out(visitor.unit),
        is_pressed=False,
        sent=[],
        missing=list(visitor.missing),
    )


def _event(candidate: dict[str, Any]) -> dict[str, Any]:
    names = ("event_type", "event_name", "product_id", "category", "price", "page_type", "device")
    at = datetime.fromtimestamp(candidate["occurred_at"] / 1000, UTC)
    return {name: candidate.get(name) for name in names} | {"occurred_at": at}


def _entries(candidate: dict[str, Any], identifiers: list[Identifier]) -> list[Placed]:
    properties = {name: candidate.get(name) for name in ("product_id", "category", "price", "session_id")}
    message = {"type": candidate.get("event_type"), "event": candidate.get("event_name"), "properties": properties}
    return entries_of(message, candidate["message_id"], identifiers, candidate["occurred_at"])


def _read(value: bytes) -> dict[str, Any] | None:
    """None for what is no candidate: the topic may be written by others."""
    try:
        candidate = orjson.loads(value)
        [(str(type_), str(token)) for type_, token in candidate["identifiers"]]
        texts = (candidate["decision_id"], candidate["message_id"], candidate["rule"])
        if all(isinstance(text, str) for text in texts) and isinstance(candidate["occurred_at"], int):
            return dict(candidate)
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        pass
    log.warning("decisions topic: a record is no candidate, got %d bytes; left out", len(value))
    return None

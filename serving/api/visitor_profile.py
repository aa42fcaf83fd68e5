"""What is known of a person, who is listening, and the state of the service."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lakehouse.decisions.circumstances import circumstances_of
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.visitor import Visitor
from lakehouse.online.online_profile import COLUMNS, OnlineProfile
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.recent_entries import PURPOSES
from serving.service import Service

_IDENTITY = frozenset({"profile_id", "version", "identifiers"})
_SAID = ("is_suppressed", "as_of", "updated_at", *(f"consent_{purpose}" for purpose in PURPOSES))


async def profile(service: Service, type_: str, value: str) -> dict[str, Any]:
    """See serving/messages/answer_models.py: ProfileAnswer. Somebody unknown is a profile of nulls.

    Who they are and what they said of consent is told in any case; what they are like and did, where they may be known by it.
    """
    now = service.clock()
    visitor = await service.visitors.find(service.visitors.identifier(type_, value), now)
    passed = permit(visitor, circumstances_of(visitor, service.inputs(), now=now), "personalization", "profile")
    known = visitor.profile
    said = {
        f"consent_{purpose}": None if known is None else known.figures[f"consent_{purpose}"] for purpose in PURPOSES
    }
    return {
        "profile_id": None if known is None else known.profile_id,
        "version": None if known is None else known.version,
        "degraded": bool(visitor.missing),
        "identifiers": [] if known is None else known.identifiers,
        "consent": {purpose: visitor.recent.consent.get(purpose, said[f"consent_{purpose}"]) for purpose in PURPOSES},
        "withheld": None if isinstance(passed, Permitted) else passed.reason,
        **(_personal(passed) if isinstance(passed, Permitted) else _withheld(known, now)),
    }


def _personal(permitted: Permitted[Visitor]) -> dict[str, Any]:
    known = permitted.what.profile
    figures = {} if known is None else {**known.own_fields(), **known.figures}
    profile = {name: value for name, value in figures.items() if name not in _IDENTITY}
    return {"profile": profile, "recent": permitted.what.recent.columns()}


def _withheld(known: OnlineProfile | None, now: datetime) -> dict[str, Any]:
    """The same fields, with nothing in them but what somebody said of being left alone."""
    said = {} if known is None else {name: known.figures[name] for name in _SAID}
    empty = {"bought": (), "bought_at": (), "is_known": known is not None and known.is_known}
    profile = {} if known is None else {**empty, **dict.fromkeys(COLUMNS), **said}
    return {"profile": profile, "recent": recent_behaviour([], now).columns()}


def listening_keys(service: Service, query: Mapping[str, str]) -> list[str]:
    """Under what a listener is found: its session, or the identifier it named; nothing when it named nobody.

    Not the other identifiers of its profile: whose they are is asked when something is pushed, for people log out and profiles split.
    """
    if query.get("session_id"):
        return [f"session:{query['session_id']}"]
    identifier = service.visitors.identifier(query.get("identifier_type", ""), query.get("value", ""))
    return [] if identifier is None else [":".join(identifier)]


def status(service: Service) -> dict[str, Any]:
    """What GET /api/status answers: what is there, what is faulty, and counts since the process began."""
    recommender, book = service.recommender.current, service.rules.current
    return {
        "kafka": "connected" if service.out.is_connected else "away",
        "online_store": "lmdb" if service.store.is_embedded else "redis",
        "recommender": "none" if recommender is None else recommender.version,
        "rules": "none" if book is None else book.version,
        "faults": [
            part.name
            for part in (service.rules, service.catalogue, service.recommender, service.experiments)
            if part.fault
        ],
        "decisions": service.counters.decisions,
        "by_rung": service.counters.by_rung,
        "degraded": service.counters.degraded,
        "events": service.counters.events,
        "outcomes": service.counters.outcomes,
        "listeners": service.sockets.count,
        "pushed": service.sockets.pushed,
        "decision_log_lost": service.log.lost,
        "newest_behaviour_dropped": service.pending.dropped,
        "late_milliseconds": round(service.pressure.late_seconds * 1000, 1),
        "now": service.clock().isoformat(timespec="seconds"),
    }

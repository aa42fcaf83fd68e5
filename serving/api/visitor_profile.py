"""What is known of a person, who is listening, and the state of the service."""

from collections.abc import Mapping
from typing import Any

from lakehouse.online.recent_entries import PURPOSES
from serving.service import Service


async def profile(service: Service, type_: str, value: str) -> dict[str, Any]:
    """See serving/messages/answer_models.py: ProfileAnswer. Somebody unknown is a profile of nulls."""
    visitor = await service.visitors.find(service.visitors.identifier(type_, value), service.clock())
    known, recent = visitor.profile, visitor.recent
    said = {} if known is None else {**known.own_fields(), **known.figures}
    return {
        "profile_id": said.pop("profile_id", None),
        "version": said.pop("version", None),
        "degraded": bool(visitor.missing),
        "identifiers": said.pop("identifiers", []),
        "consent": {purpose: recent.consent.get(purpose, said.get(f"consent_{purpose}")) for purpose in PURPOSES},
        "profile": said,
        "recent": recent.columns(),
    }


async def listening_keys(service: Service, query: Mapping[str, str]) -> list[str]:
    """Under what a listener is found: its session, or every identifier of its profile; nothing when it named nobody."""
    if query.get("session_id"):
        return [f"session:{query['session_id']}"]
    identifier = service.visitors.identifier(query.get("identifier_type", ""), query.get("value", ""))
    if identifier is None:
        return []
    visitor = await service.visitors.find(identifier, service.clock())
    known = [identifier, *(visitor.profile.identifiers if visitor.profile else ())]
    return [f"{type_}:{token}" for type_, token in dict.fromkeys(known)]


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

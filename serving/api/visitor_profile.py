"""What is known of a person, who is listening, and the state of the service."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lakehouse.decisions.circumstances import circumstances_of
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.visitor import Visitor
from lakehouse.online.online_profile import COLUMNS, OnlineProfile
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.recent_entries import PURPOSES
from serving.messages.request_models import PageTokenRequest
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


def whom(service: Service, said: Mapping[str, str]) -> dict[str, str] | None:
    """Whom a listener means, as the lake names them: session_id, or identifier_type and token. None = nobody there could be."""
    if said.get("session_id"):
        return {"session_id": said["session_id"]}
    identifier = service.visitors.identifier(said.get("identifier_type", ""), said.get("value", ""))
    return None if identifier is None else {"identifier_type": identifier[0], "token": identifier[1]}


def listening_keys(whom: Mapping[str, str]) -> list[str]:
    """Under what a listener is found: its session, or the identifier it named.

    Not the other identifiers of its profile: whose they are is asked when something is pushed, for people log out and profiles split.
    """
    return [f"session:{whom['session_id']}" if "session_id" in whom else f"{whom['identifier_type']}:{whom['token']}"]


async def page_token(service: Service, request: PageTokenRequest) -> dict[str, Any]:
    """A token for one page: to listen to one visitor's decisions, and nothing else."""
    named = request.identifier
    said = (
        {"session_id": request.session_id or ""}
        if named is None
        else {"identifier_type": named.type, "value": named.value}
    )
    ends_at = service.clock() + timedelta(seconds=request.seconds)
    listener = whom(service, said)
    return {"token": listener and service.page_tokens.make(listener, ends_at), "expires_at": ends_at.isoformat()}


def counts(service: Service) -> dict[str, int]:
    """Sums since the process began, by the names of `serving.state.meters.COUNTED`."""
    return {f"decisions_{rung}": made for rung, made in service.counters.by_rung.items()} | _sums(service)


def _sums(service: Service) -> dict[str, int]:
    counters = service.counters
    return {
        "degraded": counters.degraded,
        "events": counters.events,
        "outcomes": counters.outcomes,
        "pushed": service.sockets.pushed,
        "decision_log_lost": service.log.lost,
        "newest_behaviour_dropped": service.pending.dropped,
    }


def take(service: Service) -> None:
    """Hand this process's sums to Prometheus."""
    late_seconds = service.pressure.late_seconds
    service.meters.take(counts(service), listeners=service.sockets.count, late_seconds=late_seconds)


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
        **_sums(service),
        "listeners": service.sockets.count,
        "late_milliseconds": round(service.pressure.late_seconds * 1000, 1),
        "now": service.clock().isoformat(timespec="seconds"),
    }

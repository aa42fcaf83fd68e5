"""GET /api/profiles: what is known of a person, and what of it may be told."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.circumstances import circumstances_of
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.visitor import Visitor
from lakehouse.online.online_profile import COLUMNS, OnlineProfile
from lakehouse.online.recent_behaviour import recent_behaviour
from serving.service import Service

_UNTOLD = frozenset({"profile_id", "version", "identifiers", "sums"})
_SAID = (
    *("is_suppressed", "as_of", "updated_at", *(f"consent_{purpose}" for purpose in PURPOSES)),
    *("consent_said_at", "consent_said", "also_allowed", "also_refused", "jurisdictions"),
)


async def profile(service: Service, type_: str, value: str) -> dict[str, Any]:
    """See serving/messages/answer_models.py: ProfileAnswer. Somebody unknown is a profile of nulls.

    Who they are and what they said of consent is told in any case; what they are like and did, where they may be known by it.
    """
    now = service.clock()
    visitor = await service.visitors.find(service.visitors.identifier(type_, value), now)
    circumstances = circumstances_of(visitor, service.inputs(), now=now)
    passed = permit(visitor, circumstances, "personalization", "profile")
    known = visitor.profile
    return {
        "profile_id": None if known is None else known.profile_id,
        "version": None if known is None else known.version,
        "degraded": bool(visitor.missing),
        "identifiers": [] if known is None else known.identifiers,
        "consent": {purpose: visitor.said(purpose) for purpose in circumstances.consent},
        "withheld": None if isinstance(passed, Permitted) else passed.reason,
        **(_personal(passed) if isinstance(passed, Permitted) else _withheld(known, circumstances.features, now)),
    }


def _personal(permitted: Permitted[Visitor]) -> dict[str, Any]:
    known = permitted.what.profile
    figures = {} if known is None else {**known.own_fields(), **known.figures}
    profile = {name: value for name, value in figures.items() if name not in _UNTOLD}
    features = dict(permitted.circumstances.features)
    return {"profile": profile, "features": features, "recent": permitted.what.recent.columns()}


def _withheld(known: OnlineProfile | None, features: Iterable[str], now: datetime) -> dict[str, Any]:
    """The same fields, with nothing in them but what somebody said of being left alone."""
    said = {} if known is None else {name: known.figures[name] for name in _SAID}
    empty = {"bought": (), "bought_at": (), "is_known": known is not None and known.is_known}
    profile = {} if known is None else {**empty, **dict.fromkeys(COLUMNS), **said}
    return {"profile": profile, "features": dict.fromkeys(features), "recent": recent_behaviour([], now).columns()}

"""What a moment or rule asks for -> its actions, one for each destination."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lakehouse.actions.action import Action
from lakehouse.config.declarations import Acting
from lakehouse.decisions.offers import Purpose
from lakehouse.events.identifier import Identifier


def actions_of(
    acting: Acting,
    name: str,
    cause: Literal["moment", "rule"],
    *,
    decision_id: str,
    who: Sequence[Identifier],
    purpose: Purpose,
    offer: str | None,
    items: Sequence[str],
    due_ms: int,
    now_ms: int,
    detail: Mapping[str, Any],
    event: Mapping[str, Any] | None = None,
) -> list[Action]:
    """`who`: the strongest identifier first. `due_ms`: from then on it is worth saying for `valid_for`. `event`: of `Action`."""
    return [
        Action(
            decision_id=decision_id,
            destination=destination,
            cause=cause,
            name=name,
            identifiers=tuple(who),
            purpose=purpose,
            offer=offer,
            items=tuple(items),
            template=acting.template,
            respects_quiet_hours=acting.respects_quiet_hours,
            created_ms=max(now_ms, 0),
            expires_ms=due_ms + acting.valid_for,
            detail=detail,
            event=event,
        )
        for destination in acting.destinations
    ]

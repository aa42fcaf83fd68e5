"""A moment -> its actions, one for each destination."""

from lakehouse.actions.action import Action
from lakehouse.moments.machine import Moment


def actions_of(moment: Moment, now_ms: int) -> list[Action]:
    definition = moment.definition
    return [
        Action(
            decision_id=moment.decision_id,
            destination=destination,
            cause="moment",
            name=definition.name,
            identifiers=moment.who,
            purpose=definition.purpose,
            offer=definition.offer,
            items=moment.items,
            template=definition.template,
            respects_quiet_hours=definition.respects_quiet_hours,
            created_ms=max(now_ms, 0),
            expires_ms=moment.expires_ms,
            detail={"kind": definition.kind, "start_ms": moment.start_ms, "due_ms": moment.due_ms},
        )
        for destination in definition.destinations
    ]

"""A moment -> its actions, one for each destination."""

from lakehouse.actions.action import Action
from lakehouse.actions.action_requests import actions_of
from lakehouse.moments.transitions import Moment


def actions_of_moment(moment: Moment, now_ms: int) -> list[Action]:
    """One action for each destination the moment names. `now_ms`: ms since 1970."""
    definition = moment.definition
    return actions_of(
        definition,
        definition.name,
        "moment",
        decision_id=moment.decision_id,
        who=moment.who,
        purpose=definition.purpose,
        offer=definition.offer,
        items=moment.items,
        due_ms=moment.due_ms,
        now_ms=now_ms,
        detail={"kind": definition.kind, "start_ms": moment.start_ms, "due_ms": moment.due_ms},
    )

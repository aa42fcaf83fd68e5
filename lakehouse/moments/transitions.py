"""The state machine of moments: `step` takes an event in, `fire` tells what is due. No clock, no store.

A timer only wakes: what is due is found from the facts at that time. So nothing needs cancelling when an event ends an
episode, a lost race leaves at worst a needless look, and one timer for each visitor is enough: the earliest.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import orjson

from lakehouse.events.identifier import Identifier
from lakehouse.moments.definitions import ORDERED, Definition, Definitions
from lakehouse.moments.episodes import Episode, episode
from lakehouse.moments.state import Done, Fact, VisitorState, added, further

_DIGITS = 32


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that is due. `visitor`: the strongest identifier of the event it began with. Times in ms since 1970."""

    decision_id: str
    definition: Definition
    visitor: Identifier
    who: tuple[Identifier, ...]
    start_ms: int
    due_ms: int
    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fired:
    """`moment`: of those due the one of highest priority, for a person hears one thing at a time.

    `decided`: how far each has been decided now, also those that nobody will hear of.
    """

    moment: Moment | None
    decided: dict[str, Done]


Holds = Callable[[Definition, Episode], bool]


def step(state: VisitorState, events: Iterable[Fact], definitions: Definitions) -> tuple[VisitorState, int | None]:
    """The state that knows the events, and the time of a timer to set: only when it is earlier than the one that is set.

    The same events again change nothing, and they may come in any order.
    """
    relevant = [event for event in events if event.event in definitions.events]
    known = added(state, relevant, first_orders=[event for event in relevant if event.event == ORDERED])
    wake = wake_at(known, definitions)
    if state.armed_ms is not None and state.armed_ms <= wake:
        return known, None
    return replace(known, armed_ms=wake), wake


def wake_at(state: VisitorState, definitions: Definitions) -> int:
    """When to look next: when something becomes due, or else when the visitor can be forgotten."""
    due = (under_way.due_ms for definition in definitions.all if (under_way := episode(definition, state)) is not None)
    return min(due, default=state.newest_ms + definitions.keep_ms)


def fire(state: VisitorState, definitions: Definitions, now_ms: int, holds: Holds) -> Fired:
    """What is due by `now_ms`. `holds`: a last look at what the facts do not tell; what does not hold is decided, silently.

    What has been due for longer than `valid_for` is decided, silently: the service or the clock stood still.
    """
    moments: list[Moment] = []
    decided: dict[str, Done] = {}
    for definition in definitions.all:
        here = state
        while (under_way := episode(definition, here)) is not None and under_way.due_ms <= now_ms:
            decided[definition.name] = further(
                here.done.get(definition.name), Done(end=under_way.end, due_ms=under_way.due_ms)
            )
            if (
                now_ms <= under_way.due_ms + definition.valid_for
                and _is_in_force(definition, under_way)
                and holds(definition, under_way)
            ):
                moments.append(_moment(definition, under_way))
            here = replace(here, done={**here.done, definition.name: decided[definition.name]})
    return Fired(moment=moments[0] if moments else None, decided=decided)


def is_over(state: VisitorState, definitions: Definitions, now_ms: int) -> bool:
    """Whether nothing of the visitor can matter any more."""
    return now_ms >= state.newest_ms + definitions.keep_ms


def _moment(definition: Definition, under_way: Episode) -> Moment:
    visitor = under_way.start.who[0]
    cause = orjson.dumps([definition.name, *visitor, under_way.start.at_ms, under_way.start.id])
    return Moment(
        decision_id=hashlib.sha256(cause).hexdigest()[:_DIGITS],
        definition=definition,
        visitor=visitor,
        who=under_way.start.who,
        start_ms=under_way.start.at_ms,
        due_ms=under_way.due_ms,
        items=tuple(filter(None, under_way.items)),
    )


def _is_in_force(definition: Definition, under_way: Episode) -> bool:
    starts, ends = definition.valid_from, definition.valid_to
    at = under_way.due_ms / 1000
    return (starts is None or starts.timestamp() <= at) and (ends is None or at < ends.timestamp())

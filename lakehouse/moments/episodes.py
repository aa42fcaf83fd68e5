"""What is under way with a visitor, moment by moment: a pure function of the facts.

Of each moment at most one episode is under way, the last: whoever puts something into a cart, comes back a day later and
does so again, has abandoned one cart, not two. An episode that ended (cancelled) or was decided is none.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lakehouse.moments.definitions import REMOVED, Definition, Kind
from lakehouse.moments.state import Fact, Order, VisitorState


@dataclass(frozen=True, kw_only=True)
class Episode:
    """From its first fact to its last; due some time after the last. `items`: products, the newest first, each once."""

    start: Fact
    end: Order
    due_ms: int
    items: tuple[str, ...]


def episode(definition: Definition, state: VisitorState) -> Episode | None:
    """The one under way; None when there is none, or it comes too soon after the last one decided."""
    done = state.done.get(definition.name)
    facts = [fact for fact in state.in_order() if done is None or fact.order > done.end]
    under_way = _FIND[definition.kind](definition, facts, state)
    if under_way is None or done is None or under_way.due_ms >= done.due_ms + definition.not_again_within:
        return under_way
    return None


def _idle(definition: Definition, facts: Sequence[Fact], _: VisitorState) -> Episode | None:
    """Cart and browse: triggers without a pause as long as `after`; due when the pause is."""
    steps: list[Fact] = []
    for fact in facts:
        if fact.event in definition.cancels:
            steps = []
        elif fact.event in definition.triggers:
            if steps and fact.at_ms - steps[-1].at_ms >= definition.after:
                steps = []
            steps.append(fact)
            if not _items(steps) and definition.kind == "abandoned_cart":
                steps = []  # everything was taken out again
    if len(steps) < definition.min_views:
        return None
    return _episode(steps, definition)


def _engaged(definition: Definition, facts: Sequence[Fact], _: VisitorState) -> Episode | None:
    """The first views that are enough within the window."""
    assert definition.window is not None
    steps: deque[Fact] = deque()
    for fact in facts:
        if fact.event in definition.cancels:
            steps.clear()
        elif fact.event in definition.triggers:
            steps.append(fact)
            while fact.at_ms - steps[0].at_ms > definition.window:
                steps.popleft()
            if len(steps) == definition.min_views and not _cancelled_later(definition, facts, fact):
                return _episode(steps, definition)
    return None


def _first_purchase(definition: Definition, facts: Sequence[Fact], state: VisitorState) -> Episode | None:
    first = state.first_order
    if first is None or definition.name in state.done or _cancelled_later(definition, facts, first):
        return None
    return _episode([first], definition)


def _lapse(definition: Definition, facts: Sequence[Fact], _: VisitorState) -> Episode | None:
    orders = [fact for fact in facts if fact.event in definition.triggers]
    if not orders or _cancelled_later(definition, facts, orders[-1]):
        return None
    return _episode(orders[-1:], definition)


def _cancelled_later(definition: Definition, facts: Sequence[Fact], than: Fact) -> bool:
    return any(fact.event in definition.cancels and fact.order > than.order for fact in facts)


def _episode(steps: Sequence[Fact], definition: Definition) -> Episode:
    is_order = definition.kind in ("first_purchase_follow_up", "lapse")
    items = () if is_order else tuple(reversed(_items(steps)))
    return Episode(start=steps[0], end=steps[-1].order, due_ms=steps[-1].at_ms + definition.after, items=items)


def _items(steps: Sequence[Fact]) -> list[str]:
    """What was added or viewed and not removed since, in order of the last time. A product without id is one, too."""
    held: dict[str, None] = {}
    for fact in steps:
        item = fact.item or ""
        held.pop(item, None)
        if fact.event != REMOVED:
            held[item] = None
    return list(held)


_FIND: Mapping[Kind, Callable[[Definition, Sequence[Fact], VisitorState], Episode | None]] = {
    "abandoned_cart": _idle,
    "abandoned_browse": _idle,
    "high_engagement": _engaged,
    "first_purchase_follow_up": _first_purchase,
    "lapse": _lapse,
}

"""What is remembered of a visitor for moments: a bounded set of facts. Pure; a union does not depend on order.

A fact is known by its message id, so that a replay adds nothing. Of each event name the newest KEEP facts stay: the newest of
a union are the newest of the newest. Kept as a document `m:<type>:<token>` of every identifier the message carries.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson

from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier

KEEP = 32

Order = tuple[int, str]
"""Time and message id: the one order of facts."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One event. `item`: its product, of an order its order id. `who`: its identifiers, the strongest first."""

    at_ms: int
    id: str
    event: str
    item: str | None
    who: tuple[Identifier, ...]

    @property
    def order(self) -> Order:
        """Where it stands among all facts."""
        return self.at_ms, self.id


@dataclass(frozen=True, kw_only=True)
class Done:
    """How far a moment has been decided: facts up to `end` are behind it. `due_ms`: when the last one was due."""

    end: Order
    due_ms: int


@dataclass(frozen=True, kw_only=True)
class VisitorState:
    """`armed_ms`: the earliest timer that is set; None = none is. `version`: of the document, 0 = there is none yet."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    first_order: Fact | None = None
    done: Mapping[str, Done] = field(default_factory=dict)
    armed_ms: int | None = None
    version: int = 0

    @property
    def newest_ms(self) -> int:
        """Time of the newest fact, ms since 1970; 0 = there is none."""
        return max((fact.at_ms for fact in self.facts.values()), default=0)

    def in_order(self) -> list[Fact]:
        """The facts, the oldest first."""
        return sorted(self.facts.values(), key=lambda fact: fact.order)

    def encode(self) -> bytes:
        """JSON; bundles of identifiers are written once."""
        who: dict[tuple[Identifier, ...], int] = {}
        facts = [_row(fact, who) for fact in self.in_order()]
        first = None if self.first_order is None else _row(self.first_order, who)
        done = {name: [*decided.end, decided.due_ms] for name, decided in self.done.items()}
        document = {
            "v": self.version,
            "facts": facts,
            "first": first,
            "done": done,
            "armed": self.armed_ms,
            "who": list(who),
        }
        return orjson.dumps(document)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """`encode` undone.

        Raises:
            StoreError: not a document of this kind.
        """
        try:
            document = orjson.loads(data)
            who = [tuple((type_, token) for type_, token in bundle) for bundle in document["who"]]
            facts = [_fact(row, who) for row in document["facts"]]
            return cls(
                facts={fact.id: fact for fact in facts},
                first_order=None if document["first"] is None else _fact(document["first"], who),
                done={name: Done(end=(at, id_), due_ms=due) for name, (at, id_, due) in document["done"].items()},
                armed_ms=document["armed"],
                version=document["v"],
            )
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise StoreError(
                f"moments: a visitor's document cannot be read, got {type(error).__name__}: {error}. It is begun anew"
            ) from error


def added(state: VisitorState, facts: Iterable[Fact], *, first_orders: Iterable[Fact] = ()) -> VisitorState:
    """The state with the facts; those that are there, or too old to stay, change nothing."""
    known = dict(state.facts)
    for fact in facts:
        held = known.get(fact.id)
        if held is None or (fact.order, fact.event, fact.item or "", fact.who) < (
            held.order,
            held.event,
            held.item or "",
            held.who,
        ):
            known[fact.id] = fact
    firsts = [one for one in (state.first_order, *first_orders) if one is not None]
    first = min(firsts, key=lambda fact: fact.order, default=None)
    return replace(state, facts=_bounded(known), first_order=first)


def union(states: Iterable[VisitorState]) -> VisitorState:
    """Everything any of them knows; not armed, no document."""
    merged = VisitorState()
    done: dict[str, Done] = {}
    for state in states:
        firsts = [] if state.first_order is None else [state.first_order]
        merged = added(merged, state.facts.values(), first_orders=firsts)
        for name, decided in state.done.items():
            done[name] = further(done.get(name), decided)
    return replace(merged, done=done)


def further(decided: Done | None, other: Done) -> Done:
    """How far either has been decided, whichever is further."""
    if decided is None:
        return other
    return Done(end=max(decided.end, other.end), due_ms=max(decided.due_ms, other.due_ms))


def _bounded(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    by_event: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts.values():
        by_event[fact.event].append(fact)
    kept = (sorted(of_event, key=lambda fact: fact.order)[-KEEP:] for of_event in by_event.values())
    return {fact.id: fact for of_event in kept for fact in of_event}


def _row(fact: Fact, who: dict[tuple[Identifier, ...], int]) -> list[Any]:
    return [fact.at_ms, fact.id, fact.event, fact.item, who.setdefault(fact.who, len(who))]


def _fact(row: list[Any], who: list[tuple[Identifier, ...]]) -> Fact:
    at_ms, id_, event, item, bundle = row
    return Fact(at_ms=at_ms, id=id_, event=event, item=item, who=who[bundle])

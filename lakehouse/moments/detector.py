"""Moments at work: events in, timers looked at, what is due handed on. One thread; its clock and stores are given to it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lakehouse.config import IdentityConfig
from lakehouse.events.identifier import Identifier
from lakehouse.moments.definitions import ORDERED, Definition, Definitions
from lakehouse.moments.episodes import Episode
from lakehouse.moments.state import Fact, VisitorState, further, union
from lakehouse.moments.state_store import States, StateStore
from lakehouse.moments.transitions import Fired, Moment, fire, is_over, step, wake_at
from lakehouse.online.online_profile import OnlineProfile, find
from lakehouse.online.store import Entry, OnlineStore

USER = "user_id"
AT_ONCE = 200  # timers looked at before events are read again
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class MomentDetector:
    """`emit` returns only once what it was given is safe, for it is not told again; it may be told twice: decision_id.

    visitors: states and timers, in a store that survives. profiles: the online store. now_ms: the clock.
    """

    visitors: StateStore
    profiles: OnlineStore
    identity: IdentityConfig
    now_ms: Callable[[], int]
    emit: Callable[[Moment], None]

    def take(self, facts: Iterable[Fact], definitions: Definitions) -> int:
        """Remember events; how many mattered. The same again, in any order, changes nothing.

        Raises:
            StoreError: a store does not answer; to be called again with the same.
        """
        of_visitor: dict[Identifier, list[Fact]] = defaultdict(list)
        relevant = [fact for fact in facts if fact.event in definitions.events]
        for fact in relevant:
            for identifier in fact.who:
                of_visitor[identifier].append(fact)

        def change(states: States) -> dict[Identifier, int]:
            timers: dict[Identifier, int] = {}
            for visitor, of_this_visitor in of_visitor.items():
                states[visitor], wake = _stepped(states[visitor], of_this_visitor, visitor, definitions)
                timers |= {} if wake is None else {visitor: wake}
            return timers

        if of_visitor:
            self.visitors.change(list(of_visitor), change, now_ms=self.now_ms())
        return len(relevant)

    def tick(self, definitions: Definitions) -> int:
        """Look at every visitor whose time has come; how many moments were handed on.

        Raises:
            StoreError: a store does not answer; nothing is lost, to be called again.
        """
        now_ms = self.now_ms()
        looked: dict[Identifier, int] = {}
        timers: dict[str, list[Entry]] = defaultdict(list)
        for visitor, timeline, entry in self.visitors.due(now_ms, AT_ONCE):
            if visitor not in looked:
                looked[visitor] = self._look(visitor, definitions, now_ms)
            timers[timeline].append(entry)
        for timeline, entries in timers.items():
            self.visitors.disarm(timeline, entries)
        return sum(looked.values())

    def _look(self, visitor: Identifier, definitions: Definitions, now_ms: int) -> int:
        own = self.visitors.read([visitor]).get(visitor)
        if own is None:
            return 0
        if is_over(own, definitions, now_ms):
            self.visitors.forget(visitor, own)
            return 0
        who, profile = self._person(visitor, own)
        states = self.visitors.read(who)
        merged = _of_person(union(states.values()), who)
        fired = fire(
            merged, definitions, now_ms, lambda definition, episode: _still_holds(definition, episode, merged, profile)
        )
        if fired.moment is not None:
            self.emit(fired.moment)
        self._settle(visitor, own, definitions, fired, merged, now_ms)
        return int(fired.moment is not None)

    def _settle(
        self,
        visitor: Identifier,
        own: VisitorState,
        definitions: Definitions,
        fired: Fired,
        merged: VisitorState,
        now_ms: int,
    ) -> None:
        """Write down what was decided, with everybody who holds these facts, and set the next timer."""
        holders = {identifier for fact in merged.facts.values() for identifier in fact.who if fired.decided}
        decided = {name: further(merged.done.get(name), done) for name, done in fired.decided.items()}

        def change(states: States) -> dict[Identifier, int]:
            for identifier, state in states.items():
                if state.facts or state.first_order:
                    done = {name: further(state.done.get(name), end) for name, end in decided.items()}
                    states[identifier] = replace(state, done={**state.done, **done})
            # Of the whole person: a cart that was filled on the telephone may not be looked at before its own time.
            wake = wake_at(replace(merged, done={**merged.done, **decided}), definitions)
            wake = max(wake, now_ms + 1)
            states[visitor] = replace(states[visitor], armed_ms=wake)
            return {visitor: wake}

        self.visitors.change(sorted({visitor, *holders}), change, now_ms=now_ms)

    def _person(self, visitor: Identifier, own: VisitorState) -> tuple[list[Identifier], OnlineProfile | None]:
        """Everybody the visitor is known to be: by the events, then by the profile, which others may have merged."""
        named = dict.fromkeys([visitor, *(identifier for fact in own.facts.values() for identifier in fact.who)])
        profile = find(self.profiles, named, self.identity)
        return list(named | dict.fromkeys(() if profile is None else profile.identifiers)), profile


def _stepped(
    state: VisitorState, facts: Sequence[Fact], visitor: Identifier, definitions: Definitions
) -> tuple[VisitorState, int | None]:
    """An event wakes its strongest identifier only; the others hold its facts, until they are forgotten."""
    known, wake = step(state, facts, definitions)
    if any(fact.who[0] == visitor for fact in facts):
        return known, wake
    if state.armed_ms is not None:
        return replace(known, armed_ms=state.armed_ms), None
    forgotten_ms = known.newest_ms + definitions.keep_ms
    return replace(known, armed_ms=forgotten_ms), forgotten_ms


def _of_person(state: VisitorState, who: Sequence[Identifier]) -> VisitorState:
    """Without what other people did on a device they share: events of a user who is nobody of these."""
    users = {identifier for identifier in who if identifier[0] == USER}

    def is_own(fact: Fact) -> bool:
        named = {identifier for identifier in fact.who if identifier[0] == USER}
        return not named or not users or not named.isdisjoint(users)

    facts = {id_: fact for id_, fact in state.facts.items() if is_own(fact)}
    first = state.first_order
    return replace(state, facts=facts, first_order=first if first is not None and is_own(first) else None)


def _still_holds(definition: Definition, episode: Episode, state: VisitorState, profile: OnlineProfile | None) -> bool:
    """What the profile knows of orders that the facts do not: older ones, and those that came another way."""
    if profile is None or profile.figures["last_order_at"] is None:
        return True
    if definition.kind == "first_purchase_follow_up":
        orders = {fact.item or fact.id for fact in state.facts.values() if fact.event == ORDERED}
        return int(profile.figures["frequency"]) <= max(1, len(orders))
    ordered_ms = int((profile.figures["last_order_at"] - _EPOCH) // timedelta(milliseconds=1))
    is_cancelling = ORDERED in definition.cancels or definition.kind == "lapse"
    return not is_cancelling or ordered_ms <= episode.end[0]

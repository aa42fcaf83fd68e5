"""Visitors' states as documents, and their timers as timelines, in a store.

m:<type>:<token>    the state of a visitor by one identifier
timers:<shard>      when to look at which visitor
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.moments.state import VisitorState
from lakehouse.online.store import MOST, Document, Entry, OnlineStore

_MOST_TIMERS = 2**31  # a timeline keeps its newest entries: of timers none may go
_TRIES = 8

States = dict[Identifier, VisitorState]
Change = Callable[[States], dict[Identifier, int]]
"""Changes the states in place; tells the timers to set, in ms since 1970."""


class StateStore:
    """One visitor is one document; its timers lie on one of `shards` timelines."""

    def __init__(self, store: OnlineStore, *, shards: int) -> None:
        self._store = store
        self._timelines = [f"timers:{shard}" for shard in range(shards)]

    def read(self, visitors: Sequence[Identifier]) -> States:
        """The states there are; what cannot be read is begun anew.

        Raises:
            StoreError: the store does not answer.
        """
        states = {}
        for visitor, data in zip(visitors, self._store.get([state_key(one) for one in visitors]), strict=True):
            if data is not None:
                try:
                    states[visitor] = VisitorState.decode(data)
                except StoreError:
                    states[visitor] = VisitorState()
        return states

    def change(self, visitors: Sequence[Identifier], change: Change, *, now_ms: int) -> None:
        """Read, change, set timers, write. Another who wrote meanwhile is not overwritten: then all of it is done again.

        Timers come first: one too many is a needless look, one too few a moment that never comes.

        Raises:
            StoreError: the store does not answer, or others write all the time.
        """
        for attempt in range(_TRIES):
            before = self.read(visitors)
            states = {visitor: before.get(visitor, VisitorState()) for visitor in visitors}
            self._arm(change(states))
            documents = [
                _document(visitor, state, now_ms=now_ms, attempt=attempt)
                for visitor, state in states.items()
                if state != before.get(visitor)
            ]
            if self._store.put(documents) == len(documents):
                return
        raise StoreError(f"moments: visitors changed under {_TRIES} attempts to write them, expected fewer writers")

    def forget(self, visitor: Identifier, state: VisitorState) -> None:
        """Remove the visitor's document. Raises StoreError."""
        self._store.put([Document(state_key(visitor), state.version + 1, None)])

    def due(self, now_ms: int, limit: int) -> list[tuple[Identifier, str, Entry]]:
        """Visitors to look at by now: with the timeline and the entry to take out afterwards."""
        due = []
        for timeline in self._timelines:
            for entry in self._store.until(timeline, now_ms, limit):
                type_, _, token = entry.value.decode().partition(":")
                due.append(((type_, token), timeline, entry))
        return due

    def disarm(self, timeline: str, entries: Iterable[Entry]) -> None:
        """Take timers out that were looked at. Raises StoreError."""
        self._store.remove(timeline, [entry.id for entry in entries])

    def _arm(self, timers: dict[Identifier, int]) -> None:
        by_timeline: dict[str, list[Entry]] = defaultdict(list)
        for visitor, at_ms in timers.items():
            name = ":".join(visitor)
            shard = zlib.crc32(name.encode()) % len(self._timelines)
            by_timeline[self._timelines[shard]].append(Entry(at_ms, f"{at_ms}@{name}", name.encode()))
        self._store.append(by_timeline, keep=_MOST_TIMERS)


def state_key(visitor: Identifier) -> str:
    """Of a visitor's document."""
    return "m:" + ":".join(visitor)


def _document(visitor: Identifier, state: VisitorState, *, now_ms: int, attempt: int) -> Document:
    """The next version. A new document begins above any that was forgotten here, also after a clock was set back."""
    version = state.version + 1 if state.version else min(1000 * now_ms + 86_400_000_000 * ((1 << attempt) - 1), MOST)
    return Document(state_key(visitor), version, replace(state, version=version).encode())

"""Who is asking, within the deadline; the newest behaviour from memory where the store does not answer."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from lakehouse.config import Config
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import Resolver
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.recent_entries import TIMELINES, key_of
from lakehouse.online.store_state import state_of
from serving.visitors.pending import Pending
from serving.visitors.shared_reads import SharedReads
from serving.visitors.visitor_lookup import VisitorLookup, VisitorQuery

NOT_FILLED = "online store: not filled from gold yet"
_AWAY = "online store: not there"
_LOOK_SECONDS = 1.0  # how soon a store that was emptied, or filled, is noticed
T = TypeVar("T")
log = logging.getLogger("stitchlake.serving")


class Visitors:
    """An embedded store is read at once; one across a network by one thread, for all who wait."""

    def __init__(self, pending: Pending, facts: Pending, config: Config) -> None:
        self._store = pending.store
        self._pending = pending
        self._config = config
        self._seconds = config.serving.deadline_ms / 1000
        self._resolver = Resolver(config)
        self._lookup = VisitorLookup(pending, facts)
        self._shared_reads = None if pending.store.is_embedded else SharedReads(self._read)
        self._is_filled = True

    def look(self) -> None:
        """Blocks while the store is asked whether all of gold is in it; until it is, who is not found may only be missing."""
        try:
            self._is_filled = state_of(self._store).is_filled
        except StoreError as error:
            log.warning("online store: not asked whether it is filled: %s", error)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def identifier(self, type_: str, value: str) -> Identifier | None:
        """Type and token; None when nobody could be known by it: an unknown type, a blocked or malformed value."""
        return self._resolver.resolve(type_, value)

    def strongest(self, identifiers: Iterable[Identifier]) -> Identifier | None:
        """The one that tells most, by conf/identity.toml; None where none is of a configured type."""
        rules = self._config.identity.rules
        return min(
            (identifier for identifier in identifiers if identifier[0] in rules),
            key=lambda identifier: rules[identifier[0]].priority,
            default=None,
        )

    async def find(self, identifier: Identifier | None, now: datetime, *, others: Sequence[Identifier] = ()) -> Visitor:
        """The visitor as far as they can be read; `missing` says what could not.

        `others`: identifiers they came under as well, which may not be in their profile yet; what was said by those holds, too.
        """
        if identifier is None:
            return Visitor(identifier=None, profile=None, recent=recent_behaviour([], now))
        query = VisitorQuery(identifier, now, tuple(others))
        try:
            if self._shared_reads is not None:
                return await self._shared_reads.ask(query, self._seconds)
            (visitor,) = self._read([query])
            return visitor if isinstance(visitor, Visitor) else self.unread(identifier, now, _AWAY)
        except TimeoutError:
            return self.unread(identifier, now, "online store: too slow")
        except StoreError:
            return self.unread(identifier, now, _AWAY)

    def unread(self, identifier: Identifier | None, now: datetime, reason: str = "under pressure") -> Visitor:
        """The visitor as far as memory knows them."""
        keys = [] if identifier is None else [key_of(timeline, identifier) for timeline in TIMELINES]
        newest = [entry for entries in self._pending.timelines(keys).values() for entry in entries]
        return Visitor(identifier=identifier, profile=None, recent=recent_behaviour(newest, now), missing=(reason,))

    async def call(self, function: Callable[[], T]) -> T:
        """Run something that asks the store, at most until the deadline.

        Raises:
            StoreError: it cannot answer.
            TimeoutError: it did not in time.
        """
        if self._store.is_embedded:
            return function()
        return await asyncio.wait_for(asyncio.to_thread(function), self._seconds)

    def close(self) -> None:
        """End the reading thread, if there is one."""
        if self._shared_reads is not None:
            self._shared_reads.close()

    def _read(self, queries: Sequence[VisitorQuery]) -> Sequence[Visitor | StoreError]:
        return self._lookup.find(queries, () if self._is_filled else (NOT_FILLED,))

"""Who is asking, read from the online store within the deadline; the newest behaviour from memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from lakehouse.config import Config
from lakehouse.decisions.visitor import Identifier, Visitor
from lakehouse.errors import StoreError
from lakehouse.events.identifiers import resolve
from lakehouse.online.profiles import OnlineProfile, by_id, identifier_key, profile_id_of
from lakehouse.online.recent import recent_behaviour, timeline_key
from lakehouse.online_store import Entry, OnlineStore
from serving.pending import Pending

_MOST_ENTRIES = 100  # of each identifier's timeline that a decision looks at
_MOST_CACHED = 50_000  # profiles of a store across the network
T = TypeVar("T")


def suppression_key(identifier: Identifier) -> str:
    return f"s:{identifier[0]}:{identifier[1]}"


class Visitors:
    """Reads visitors. A store across the network is asked in a thread and its profiles are kept until they change."""

    def __init__(self, store: OnlineStore, pending: Pending, config: Config) -> None:
        self._store = store
        self._pending = pending
        self._config = config
        self._seconds = config.serving.deadline_ms / 1000
        self._cached: OrderedDict[str, OnlineProfile] = OrderedDict()

    def identifier(self, type_: str, value: str) -> Identifier | None:
        """Type and token; None when nobody could be known by it: an unknown type, a blocked or malformed value."""
        if type_ not in self._config.identity.rules:
            return None
        token = resolve(type_, value, self._config)
        return None if token is None else (type_, token)

    async def find(self, asked: Identifier | None, now: datetime) -> Visitor:
        """The visitor as far as they can be read; `missing` says what could not."""
        if asked is None:
            return Visitor(asked=None, profile=None, recent=recent_behaviour([], now))
        try:
            return await self.call(lambda: self._find(asked, now))
        except TimeoutError:
            return self.unread(asked, now, "online store: too slow")
        except StoreError:
            return self.unread(asked, now, "online store: not there")

    def unread(self, asked: Identifier | None, now: datetime, reason: str = "under pressure") -> Visitor:
        """The visitor as far as memory knows them."""
        keys = () if asked is None else (timeline_key(*asked),)
        recent = recent_behaviour(self._pending.entries(keys), now)
        return Visitor(asked=asked, profile=None, recent=recent, timelines=keys, missing=(reason,))

    async def call(self, function: Callable[[], T]) -> T:
        """Run something that asks the store, at most until the deadline.

        Raises:
            StoreError: it cannot answer.
            TimeoutError: it did not in time.
        """
        if self._store.is_embedded:
            return function()
        return await asyncio.wait_for(asyncio.to_thread(function), self._seconds)

    def forget(self, profile_ids: Iterable[str]) -> None:
        """These profiles have changed."""
        for profile_id in profile_ids:
            self._cached.pop(profile_id, None)

    def _find(self, asked: Identifier, now: datetime) -> Visitor:
        found, suppressed = self._store.get([identifier_key(asked), suppression_key(asked)])
        profile = None if found is None else self._profile(profile_id_of(found))
        identifiers = [asked] if profile is None else list(dict.fromkeys([asked, *profile.identifiers]))
        timelines = tuple(timeline_key(*identifier) for identifier in identifiers)
        entries = self._entries(timelines)
        if suppressed is None and len(identifiers) > 1:
            others = self._store.get([suppression_key(identifier) for identifier in identifiers[1:]])
            suppressed = next((value for value in others if value is not None), None)
        return Visitor(
            asked=asked,
            profile=profile,
            recent=recent_behaviour(entries, now),
            timelines=timelines,
            is_suppressed=suppressed is not None,
        )

    def _entries(self, timelines: tuple[str, ...]) -> list[Entry]:
        stored = self._store.latest(timelines, _MOST_ENTRIES)
        return [entry for entries in stored for entry in entries] + self._pending.entries(timelines)

    def _profile(self, profile_id: str) -> OnlineProfile | None:
        if not self._store.is_embedded and profile_id in self._cached:
            self._cached.move_to_end(profile_id)
            return self._cached[profile_id]
        profile = by_id(self._store, profile_id)
        if profile is not None and not self._store.is_embedded:
            self._cached[profile_id] = profile
            while len(self._cached) > _MOST_CACHED:
                self._cached.popitem(last=False)
        return profile

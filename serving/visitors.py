"""Who is asking, read from the online store within the deadline; the newest behaviour from memory."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from lakehouse.config import Config
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.events.identifiers import resolve
from lakehouse.identity.identifier import Identifier
from lakehouse.online.profiles import OnlineProfile, by_id, identifier_key, profile_id_of
from lakehouse.online.recent import of_visitor, recent_behaviour
from lakehouse.online.recent_entries import TIMELINES, key_of
from lakehouse.online.state import state_of
from lakehouse.online_store import OnlineStore
from serving.pending import Pending

NOT_FILLED = "online store: not filled from gold yet"
_LOOK_SECONDS = 1.0  # how soon a store that was emptied, or filled, is noticed
_MOST_ENTRIES = 60  # of each timeline that a decision looks at
_MOST_CACHED = 50_000  # profiles of a store across the network
T = TypeVar("T")
log = logging.getLogger("stitchlake.serving")


class Visitors:
    """Reads visitors. A store across the network is asked in a thread and its profiles are kept until they change."""

    def __init__(self, store: OnlineStore, pending: Pending, config: Config) -> None:
        self._store = store
        self._pending = pending
        self._config = config
        self._seconds = config.serving.deadline_ms / 1000
        self._cached: OrderedDict[str, OnlineProfile] = OrderedDict()
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
        if type_ not in self._config.identity.rules:
            return None
        token = resolve(type_, value, self._config)
        return None if token is None else (type_, token)

    def strongest(self, identifiers: Iterable[Identifier]) -> Identifier | None:
        """The one that tells most, by conf/identity.toml; None where none is of a configured type."""
        rules = self._config.identity.rules
        return min(
            (one for one in identifiers if one[0] in rules), key=lambda one: rules[one[0]].priority, default=None
        )

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
        newest = self._pending.entries(_timelines([] if asked is None else [asked]))
        return Visitor(asked=asked, profile=None, recent=recent_behaviour(newest, now), missing=(reason,))

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
        found, suppressed = self._read([identifier_key(asked), suppression_key(asked)])
        profile = None if found is None else self._profile(profile_id_of(found))
        identifiers = [asked] if profile is None else list(dict.fromkeys([asked, *profile.identifiers]))
        if suppressed is None and len(identifiers) > 1:
            others = self._read([suppression_key(identifier) for identifier in identifiers[1:]])
            suppressed = next((value for value in others if value is not None), None)
        timelines = _timelines(identifiers)
        stored = self._store.latest(timelines, _MOST_ENTRIES)
        entries = [entry for timeline in stored for entry in timeline] + self._pending.entries(timelines)
        recent = recent_behaviour(of_visitor(entries, identifiers), now)
        missing = (NOT_FILLED,) if profile is None and not self._is_filled else ()
        return Visitor(
            asked=asked, profile=profile, recent=recent, is_suppressed=suppressed is not None, missing=missing
        )

    def _read(self, keys: Sequence[str]) -> list[bytes | None]:
        """Documents; those that wait to be written count already."""
        return [self._pending.newest(key, stored) for key, stored in zip(keys, self._store.get(keys), strict=True)]

    def _profile(self, profile_id: str) -> OnlineProfile | None:
        if profile_id in self._cached:
            self._cached.move_to_end(profile_id)
            return self._cached[profile_id]
        profile = by_id(self._store, profile_id)
        if profile is not None and not self._store.is_embedded:
            self._cached[profile_id] = profile
            if len(self._cached) > _MOST_CACHED:
                self._cached.popitem(last=False)
        return profile


def _timelines(identifiers: Iterable[Identifier]) -> list[str]:
    return [key_of(timeline, one) for one in identifiers for timeline in TIMELINES]


def suppression_key(identifier: Identifier) -> str:
    return f"suppressed:{identifier[0]}:{identifier[1]}"

"""The online step: the profiles of a micro-batch into the online store, ahead of gold; the store filled again when it must be.

The lake never waits for the store. What the store did not take is owed: the next micro-batch, or the next idle second,
rolls these profiles up again and puts them. Which state of gold the store stands for is written in it once gold is
committed; at a start where the two differ (a crash, a rebuild in between, a new store), it is filled anew.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

from lakehouse.errors import StoreError
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.online_sums import carried
from lakehouse.identity.index import Index
from lakehouse.lake.delta import Lake
from lakehouse.online.change_publisher import Change, Publish
from lakehouse.online.content import PIECE, fill, fill_facts, pieces, stands_for, write
from lakehouse.online.store import OnlineStore
from lakehouse.online.store_state import advance, in_flight, land, state_of, take_off
from lakehouse.profiles.derivation import GoldRows, OnDriver
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS

log = logging.getLogger("stitchlake.online")


class OnlineStep:
    """The online store of one lake, batch after batch. One writer: whoever holds the lake.

    `open_`: opens the store, anew after each failure. `open_kept`: the one of what is told to the service, which gets the facts of
    the lake whenever this one may need filling. `publish`: is told of every change once gold has it.
    """

    def __init__(
        self,
        lake: Lake,
        open_: Callable[[], OnlineStore],
        *,
        open_kept: Callable[[], OnlineStore] | None = None,
        publish: Publish | None = None,
    ) -> None:
        self.lake = lake
        self.features = NO_FEATURES
        self.owed: set[str] = set()
        self._open = open_
        self._open_kept = open_kept
        self._publish = publish
        self._store: OnlineStore | None = None
        self._failure: StoreError | None = None  # of the last call
        self._is_filled = False  # as far as this process knows
        self._gold: str | None = None
        self._version = 0
        self._in_flight: set[str] = set()
        self._changes: list[Change] = []

    def use(self, features: Features) -> None:
        """Let documents carry the sums of these features. If they carry others, the store is filled anew."""
        is_other = carried(features) != carried(self.features)
        self.features, self._is_filled = features, self._is_filled and not is_other

    @property
    def is_due(self) -> bool:
        """Whether there is something to make good, and the store answers."""
        try:
            is_whole = state_of(self._opened()).version >= self._version
        except StoreError as error:
            self._failed(error)
            return False
        return not is_whole or not self._is_filled or bool(self.owed)

    @property
    def is_behind(self) -> bool:
        """Whether the store lacks something that gold has, as far as the last call knows."""
        return self._failure is not None or not self._is_filled or bool(self.owed)

    def catch_up(self, index: Index, now: datetime) -> set[str]:
        """Fill the store from gold when it is not known to stand for it; the profiles it is owed."""
        try:
            store = self._opened()
            state = state_of(store)
            self._failure = None
            if not self._is_filled or state.version < self._version:
                self._fill_facts()
                gold, ahead = stands_for(self.lake, self.features), in_flight(store)
                if state.gold != gold or ahead is None:
                    fill(store, self.lake, index, now=now, features=self.features)
                    ahead = set()
                self.owed = ahead
                self._is_filled, self._gold, self._version = True, gold, state_of(store).version
        except StoreError as error:
            self._failed(error)
            return set()
        return set(self.owed)

    def put(self, rows: GoldRows | OnDriver, index: Index, now: datetime) -> bool:
        """Write the profiles gold is about to have, piece by piece; whether the store took all of them."""
        taken, days = True, rows.silver.get(SILVER_FEATURE_DAYS) if isinstance(rows, OnDriver) else None
        for piece in pieces(rows):
            profiles = piece["profile_id"].to_pylist()
            try:
                store = self._opened(again=False)
                self._advance(store, self._gold, now)
                self._in_flight.update(profiles)
                take_off(store, self._in_flight, version=self._version)
                write(store, self.lake, index, piece, version=self._version, features=self.features, days=days)
                self.owed -= set(profiles)
            except StoreError as error:
                self._failed(error)
                self._owe(profiles)
                taken = False
            self._changes += [Change(profile, self._version, now) for profile in profiles]
        return taken

    def settle(self, now: datetime) -> None:
        """Gold is committed: the store stands for it, unless something is owed. Tell of the changes."""
        changes, self._changes = self._changes, []
        if self._publish is not None and changes:
            self._publish(changes)
        if self._is_filled and not self.owed:
            gold = stands_for(self.lake, self.features)
            try:
                store = self._opened(again=False)
                self._advance(store, gold, now)
                if self._is_filled:
                    land(store, version=self._version)
                    self._gold = gold
                    self._in_flight.clear()
            except StoreError as error:
                self._failed(error)

    def _advance(self, store: OnlineStore, gold: str | None, now: datetime) -> None:
        """Tell the state. A store that has forgotten the last one was emptied since the micro-batch began, and is filled by the next."""
        if state_of(store).version < self._version:
            self._is_filled, self._gold, gold = False, None, None
        self._version = advance(store, gold=gold, now_ms=_ms(now))

    def _fill_facts(self) -> None:
        if self._open_kept is not None:
            with closing(self._open_kept()) as kept:
                fill_facts(kept, self.lake)

    def _opened(self, *, again: bool = True) -> OnlineStore:
        """`again`: also when it has just failed. Each try may wait for the whole timeout."""
        if self._failure is not None and not again:
            raise self._failure
        if self._store is None:
            self._store = self._open()
        return self._store

    def _owe(self, profiles: Sequence[str]) -> None:
        """More than fit into a micro-batch are not remembered: then the store is filled anew."""
        self.owed.update(profiles)
        if len(self.owed) > PIECE:
            self.owed.clear()
            self._is_filled = False

    def _failed(self, error: StoreError) -> None:
        if self._failure is None:
            log.warning("the online store is behind gold, and caught up with once it answers: %s", error)
        self._failure = error
        if self._store is not None:
            self._store.close()
            self._store = None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)

"""What the online store holds of gold: `m:profiles`, and `m:in_flight`: which profiles are being written, gold not yet."""

from collections.abc import Collection
from dataclasses import dataclass

import orjson

from lakehouse.online.store import MOST, Document, OnlineStore

_KEY, _IN_FLIGHT = "m:profiles", "m:in_flight"
_MOST_IN_FLIGHT = 10_000  # profiles remembered by name


@dataclass(frozen=True)
class StoreState:
    """`version`: the highest given so far. `gold`: the state of gold.activation all of it is in the store from; None while
    it never was, or is being filled: what is not found may only not be there yet. `written_at_ms`: of the last write.
    """

    version: int
    gold: str | None
    written_at_ms: int

    @property
    def is_filled(self) -> bool:
        return self.gold is not None


EMPTY = StoreState(version=0, gold=None, written_at_ms=0)


def state_of(store: OnlineStore) -> StoreState:
    """EMPTY where nothing, or nothing readable, is told."""
    (data,) = store.get([_KEY])
    try:
        stored = orjson.loads(data or b"")
        return StoreState(version=stored["version"], gold=stored["gold"], written_at_ms=stored["written_at_ms"])
    except (ValueError, TypeError, KeyError):
        return EMPTY


def advance(store: OnlineStore, *, gold: str | None, now_ms: int) -> int:
    """Take the next version and tell the state; the version.

    Microseconds since 1970, but always above the last: a clock may be set back.
    """
    version = min(max(1000 * now_ms, state_of(store).version + 1), MOST)
    state = {"version": version, "gold": gold, "written_at_ms": now_ms}
    store.put([Document(_KEY, version, orjson.dumps(state))])
    return version


def take_off(store: OnlineStore, profile_ids: Collection[str], *, version: int) -> None:
    """Note which profiles are about to be ahead of gold: after a crash they must be put again."""
    names = sorted(profile_ids) if len(profile_ids) <= _MOST_IN_FLIGHT else None
    store.put([Document(_IN_FLIGHT, version, orjson.dumps(names))])


def land(store: OnlineStore, *, version: int) -> None:
    """Gold has caught up with all of them."""
    store.put([Document(_IN_FLIGHT, version, None)])


def in_flight(store: OnlineStore) -> set[str] | None:
    """The profiles that may be ahead of gold; None = any may."""
    (data,) = store.get([_IN_FLIGHT])
    try:
        names = orjson.loads(data or b"[]")
    except ValueError:
        return None
    return None if names is None else set(names)

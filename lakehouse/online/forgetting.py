"""A person taken out of an online store: whatever stands under a key of theirs, by the contract every engine fulfils.

Keys say whose most of it is. Decisions and what became of actions are under ids of their own, and are gone through.
"""

from collections.abc import Collection, Iterable, Sequence

import orjson

from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import PROFILE, identifier_key
from lakehouse.online.recent_entries import MOST_ENTRIES, TIMELINES, USER, key_of
from lakehouse.online.store import MOST, Document, Entry, OnlineStore

KEYED = (
    "m:{}:{}",
    "unit:{}:{}",
    "suppressed:{}:{}",
)  # lakehouse/moments, lakehouse/decisions: later layers, and keys of theirs
DECISION, OUTCOME, ATTEMPT = "d:", "o:", "a:"
_ENDED_MS = 1  # since 1970
_AT_ONCE = 500


def forget(
    store: OnlineStore, own: Collection[Identifier], shared: Collection[Identifier], names: Collection[str], timers: Sequence[str]
) -> int:  # fmt: skip
    """Take them out; how many documents and entries that were.

    Args:
        store: any.
        own: identifiers that nobody else has.
        shared: those of others, too: what names the person there goes, the rest is not known to be theirs.
        names: profile ids, and actor ids, which were some.
        timers: keys of timelines whose entries say `<type>:<token>` of a visitor.
    """
    units = {*names, *(f"{type_}:{token}" for type_, token in own)}
    keys = [PROFILE + name for name in names] + [KEYED[1].format("profile_id", name) for name in names]
    keys += [key for one in own for key in (identifier_key(one), *(form.format(*one) for form in KEYED))]
    keys += _of_decisions(store, units, own)
    count = _forget_documents(store, keys)
    users = {token for type_, token in own if type_ == USER}
    for one in own:
        count += sum(_forget_entries(store, key_of(timeline, one), None) for timeline in TIMELINES)
    for one in shared:
        count += sum(_forget_entries(store, key_of(timeline, one), users) for timeline in TIMELINES)
    return count + sum(_forget_timers(store, timeline, own) for timeline in timers)


def _of_decisions(store: OnlineStore, units: Collection[str], own: Collection[Identifier]) -> Iterable[str]:
    """Decisions on them, their outcomes, and actions to them."""
    decided = {key for key, value in store.scan(DECISION) if _said(value).get("unit") in units}
    ids = {key.removeprefix(DECISION) for key in decided}
    outcomes = [key for key, _ in store.scan(OUTCOME) if key.removeprefix(OUTCOME).split(":", 1)[0] in ids]
    actions = [
        key
        for key, value in store.scan(ATTEMPT)
        if key.removeprefix(ATTEMPT).split(":", 1)[0] in ids or _reaches(_said(value), own)
    ]
    return [*decided, *outcomes, *actions]


def _reaches(delivery: dict[str, object], own: Collection[Identifier]) -> bool:
    action = delivery.get("action")
    told = action.get("identifiers", ()) if isinstance(action, dict) else ()
    return any(tuple(one) in own for one in told)


def _said(value: bytes) -> dict[str, object]:
    """A document that is a JSON object; nothing of any other."""
    try:
        told = orjson.loads(value)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _forget_documents(store: OnlineStore, keys: Sequence[str]) -> int:
    """Written over by one that has ended, so that not even a version is kept."""
    count = 0
    distinct = list(dict.fromkeys(keys))
    for some in (distinct[first : first + _AT_ONCE] for first in range(0, len(distinct), _AT_ONCE)):
        count += sum(value is not None for value in store.get(some))
        store.put([Document(key, MOST, None, ends_ms=_ENDED_MS) for key in some])
    while store.expire(_ENDED_MS + 1, _AT_ONCE) == _AT_ONCE:
        pass
    return count


def _forget_entries(store: OnlineStore, timeline: str, users: Collection[str] | None) -> int:
    """`users`: only entries that name one of them; None = all."""
    (entries,) = store.latest([timeline], MOST_ENTRIES)
    gone = [entry.id for entry in entries if users is None or _said(entry.value).get("user") in users]
    return store.remove(timeline, gone) if gone else 0


def _forget_timers(store: OnlineStore, timeline: str, own: Collection[Identifier]) -> int:
    wanted = {f"{type_}:{token}".encode() for type_, token in own}
    found: list[Entry] = store.until(timeline, MOST, 2**31 - 1)
    gone = [entry.id for entry in found if entry.value in wanted]
    return store.remove(timeline, gone) if gone else 0

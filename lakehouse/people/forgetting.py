"""A person taken out of an online store: whatever stands under a key of theirs, by the contract every engine fulfils.

Keys say whose most of it is. Decisions, what was shown by them and what became of actions are under ids of their own, and are gone through.

An erasure may wait, and whoever has the same identifier by then may be somebody new, or speak again. So what says when it was said, and was said later, stays: a
word on being left alone from the moment that was asked, anything else from the moment up to which records are held back.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from lakehouse.actions.delivery import ATTEMPTS_KEY
from lakehouse.actions.recipient_zones import zone_key
from lakehouse.decisions import decision_record
from lakehouse.decisions.experiment_unit import unit_key
from lakehouse.decisions.exposures import for_life, life_key
from lakehouse.decisions.visitor import suppression_key
from lakehouse.events.identifier import Identifier
from lakehouse.learning.exposure import exposure_key
from lakehouse.learning.reward import OUTCOMES
from lakehouse.moments.state import Fact, VisitorState
from lakehouse.moments.state_store import States, StateStore, state_key
from lakehouse.online.online_profile import PROFILE, identifier_key
from lakehouse.online.recent_entries import MOST_ENTRIES, TIMELINES, USER, key_of
from lakehouse.online.store import MOST, Document, Entry, OnlineStore

_DECISION, _ANSWER, _SHOWN = decision_record.key(""), decision_record.answer_key(""), exposure_key("")
OF_AN_ERASURE = b"erasure "  # so begins what silence.py writes: nobody's word
_ENDED_MS = 1  # since 1970
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Gone:
    """Who is to be forgotten, and what of it.

    own: identifiers that nobody else has. shared: those of others, too: what names the person there goes, the rest is not known to be theirs.
    names: profile ids, and actor ids, which were some. asked_ms, until_ms: see the module; ms since 1970.
    """

    own: Collection[Identifier]
    shared: Collection[Identifier]
    names: Collection[str]
    asked_ms: int
    until_ms: int

    @property
    def units(self) -> set[str]:
        return {*self.names, *(f"{type_}:{token}" for type_, token in self.own)}


def forget(stores: Sequence[OnlineStore], gone: Gone, *, shards: int) -> int:
    """Take them out of stores that are one service's; how many documents and entries that were. `shards`: of the timers of moments."""
    decided = {one for store in stores for one in _decisions(store, gone)}
    return sum(_forget(store, gone, decided, shards) for store in stores)


def documents_of(stores: Sequence[OnlineStore], gone: Gone) -> dict[str, bytes]:
    """What these stores hold under keys of theirs, by key."""
    decided = {one for store in stores for one in _decisions(store, gone)}
    found: dict[str, bytes] = {}
    for store in stores:
        keys = [*_cached(gone), *map(suppression_key, gone.own), *map(state_key, gone.own)]
        keys += [*_told_of(store, gone), *_of_decisions(store, gone, decided)]
        found |= {key: value for key, value in zip(keys, store.get(keys), strict=True) if value is not None}
    return found


def _forget(store: OnlineStore, gone: Gone, decided: Collection[str], shards: int) -> int:
    silenced = [suppression_key(one) for one in gone.own]
    of_ours = sum(word is not None and word.startswith(OF_AN_ERASURE) for word in store.get(silenced))
    count = _write_over(store, silenced, gone.asked_ms + 1) - of_ours
    states, anew = _forget_states(store, gone, shards)
    count += _forget_cached(store, gone) + states
    count += _write_over(store, [*_told_of(store, gone), *_of_decisions(store, gone, decided)], MOST)
    users = {token for type_, token in gone.own if type_ == USER}
    for one in gone.own:
        count += sum(_forget_entries(store, key_of(timeline, one), None, gone.until_ms) for timeline in TIMELINES)
    for one in gone.shared:
        count += sum(_forget_entries(store, key_of(timeline, one), users, gone.until_ms) for timeline in TIMELINES)
    silent = [one for one in gone.own if one not in anew]
    return count + sum(_forget_timers(store, f"timers:{shard}", silent) for shard in range(shards))


def _forget_cached(store: OnlineStore, gone: Gone) -> int:
    """What is a copy of gold, of versions in microseconds: of who came since there is a later one. One without a value is a name that is left."""
    keys = _cached(gone)
    count = _write_over(store, keys, 1000 * gone.until_ms)
    _write_over(store, [key for key, value in zip(keys, store.get(keys), strict=True) if value is None], MOST)
    return count


def _cached(gone: Gone) -> list[str]:
    return [PROFILE + name for name in gone.names] + [identifier_key(one) for one in gone.own]


def _forget_states(store: OnlineStore, gone: Gone, shards: int) -> tuple[int, set[Identifier]]:
    """What moments remember: of their own identifiers, and of those of others the facts that name them. How many that were, and of which of their own
    somebody has come since.
    """
    states, own = StateStore(store, shards=shards), set(gone.own)
    found = states.read([*gone.own, *gone.shared])
    left = {visitor: _without(state, own, gone.until_ms) for visitor, state in found.items()}
    emptied = [visitor for visitor, state in left.items() if not state.facts and visitor in own]
    others = [visitor for visitor, state in left.items() if state != found[visitor] and visitor not in emptied]

    def change(known: States) -> dict[Identifier, int]:
        known.update({visitor: _without(state, own, gone.until_ms) for visitor, state in known.items()})
        return {}

    if others:
        states.change(others, change, now_ms=gone.until_ms)
    return _write_over(store, list(map(state_key, emptied)), MOST) + len(others), own.intersection(found) - {*emptied}


def _without(state: VisitorState, own: Collection[Identifier], until_ms: int) -> VisitorState:
    facts = {id_: fact for id_, fact in state.facts.items() if not _names(fact, own, until_ms)}
    first = state.first_order
    return replace(state, facts=facts, first_order=None if first is None or _names(first, own, until_ms) else first)


def _names(fact: Fact, own: Collection[Identifier], until_ms: int) -> bool:
    return fact.at_ms <= until_ms and any(one in own for one in fact.who)


def _told_of(store: OnlineStore, gone: Gone) -> list[str]:
    """Keys of what is written down of them: as whom they count, where they are, what they were shown for life."""
    units = [unit_key(one) for one in (*gone.own, *(("profile_id", name) for name in gone.names))]
    timed = [*units, *map(zone_key, gone.own)]
    told = [key for key, value in zip(timed, store.get(timed), strict=True) if _first(value) <= gone.until_ms]
    lives = [life_key(one) for one in gone.own]
    return told + [
        key for key, document in zip(lives, store.get(lives), strict=True)
        if all(entry.at_ms <= gone.until_ms for entry in for_life(document))
    ]  # fmt: skip


def _decisions(store: OnlineStore, gone: Gone) -> Iterator[str]:
    """Ids of decisions on them, whether they are remembered by themselves or as shown."""
    told = [(key.removeprefix(_DECISION), _said(value)) for key, value in store.scan(_DECISION)]
    told += [(key.removeprefix(_SHOWN), _said(value).get("decision") or {}) for key, value in store.scan(_SHOWN)]
    units = gone.units
    for decision_id, decision in told:
        if decision.get("unit") in units and decision.get("at_ms", 0) <= gone.until_ms:
            yield decision_id


def _of_decisions(store: OnlineStore, gone: Gone, decided: Collection[str]) -> list[str]:
    """Keys of the decisions, of what was answered by them and of their outcomes, and of actions to them."""
    outcomes = [key for key, _ in store.scan(OUTCOMES) if key.removeprefix(OUTCOMES).split(":", 1)[0] in decided]
    actions = [
        key
        for key, value in store.scan(ATTEMPTS_KEY)
        if key.removeprefix(ATTEMPTS_KEY).split(":", 1)[0] in decided or _reaches(_said(value), gone)
    ]
    return [*(start + one for one in sorted(decided) for start in (_DECISION, _SHOWN, _ANSWER)), *outcomes, *actions]


def _reaches(delivery: Mapping[str, Any], gone: Gone) -> bool:
    action = delivery.get("action")
    if not isinstance(action, dict) or action.get("created_ms", 0) > gone.until_ms:
        return False
    return any(tuple(one) in gone.own for one in action.get("identifiers", ()))


def _first(value: bytes | None) -> float:
    """When something was said that is written down as [ms since 1970, ...]."""
    try:
        return float(orjson.loads(value or b"[0]")[0])
    except (ValueError, TypeError, LookupError):
        return 0


def _said(value: bytes) -> dict[str, Any]:
    """A document that is a JSON object; nothing of any other."""
    try:
        told = orjson.loads(value)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _write_over(store: OnlineStore, keys: Sequence[str], version: int) -> int:
    """Of each what is of an earlier version: written over by a document that has ended, so that not even a version is kept."""
    count = 0
    distinct = list(dict.fromkeys(keys))
    for some in (distinct[first : first + _AT_ONCE] for first in range(0, len(distinct), _AT_ONCE)):
        before = store.get(some)
        store.put([Document(key, version, None, ends_ms=_ENDED_MS) for key in some])
        count += sum(was is not None and now is None for was, now in zip(before, store.get(some), strict=True))
    while store.expire(_ENDED_MS + 1, _AT_ONCE) == _AT_ONCE:
        pass
    return count


def _forget_entries(store: OnlineStore, timeline: str, users: Collection[str] | None, until_ms: int) -> int:
    """`users`: only entries that name one of them; None = all."""
    (entries,) = store.latest([timeline], MOST_ENTRIES)
    theirs = [entry for entry in entries if users is None or _said(entry.value).get("user") in users]
    gone = [entry.id for entry in theirs if entry.at_ms <= until_ms]
    return store.remove(timeline, gone) if gone else 0


def _forget_timers(store: OnlineStore, timeline: str, own: Collection[Identifier]) -> int:
    wanted = {f"{type_}:{token}".encode() for type_, token in own}
    found: list[Entry] = store.until(timeline, MOST, 2**31 - 1)
    gone = [entry.id for entry in found if entry.value in wanted]
    return store.remove(timeline, gone) if gone else 0

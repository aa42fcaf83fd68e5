"""Recent behaviour of a visitor: the timelines of its identifiers -> columns of the rule vocabulary.

Pure but for `recent_of`. The answer is a function of the set of entries: their order, how they were batched and on how many
timelines one of them lies does not matter.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from lakehouse.config.limits import PURPOSES
from lakehouse.events.identifier import Identifier
from lakehouse.online.recent_entries import MOST_ENTRIES, SAID, TIMELINES, USER, key_of
from lakehouse.online.store import Entry, OnlineStore
from lakehouse.recommend.interactions import CART, ORDER, REMOVE, VIEW, Interaction

HOUR_MS, DAY_MS, WEEK_MS, MONTH_MS = (hours * 3_600_000 for hours in (1, 24, 7 * 24, 30 * 24))
SESSION_GAP_MS = 30 * 60_000  # without anything; then a session is over
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_TELLS_USER = b'"user"'


class Seen(NamedTuple):
    """One entry, read: in order of what it says and its id. `at_ms`: never after the moment of the question."""

    said_ms: int
    id: str
    at_ms: int
    fact: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RecentBehaviour:
    """What a visitor did lately. Products and times newest first, each product once; nothing older than 30 days but exposures.

    bought_30d: products of its orders. cart: what was added and neither removed nor ordered since; an order that names no
    product empties it. views_in_session: product views since the session began (its session id, or a gap of 30 minutes); 0
    when it is over. consent: the latest word per purpose, only what was said; consent_ms: when, UTC milliseconds, of a word without it as of now;
    asked_ms: when they last answered, likewise; None = they did not: a browser's signal is no answer. loyalty_tier: the latest word, None = taken
    back; tells_tier: whether there is one. exposures: when each offer was shown. newest_first: all that was read.
    """

    viewed_1h: tuple[str, ...] = ()
    viewed_24h: tuple[str, ...] = ()
    viewed_7d: tuple[str, ...] = ()
    bought_30d: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    views_in_session: int = 0
    last_view_at: datetime | None = None
    consent: Mapping[str, bool]
    consent_ms: Mapping[str, int] = field(default_factory=dict)
    asked_ms: int | None = None
    loyalty_tier: str | None = None
    tells_tier: bool = False
    exposures: Mapping[str, tuple[datetime, ...]]
    newest_first: tuple[Seen, ...] = ()

    @cached_property
    def actions(self) -> tuple[Interaction, ...]:
        """Everything done with a product, the newest first."""
        return tuple(
            Interaction(product, _ACTIONS[seen.fact["kind"]], seen.at_ms)
            for seen in self.newest_first
            if seen.fact["kind"] in _ACTIONS and isinstance(product := seen.fact.get("product_id"), str)
        )

    def columns(self) -> dict[str, object]:
        """The part of a decision context this is, by the names of lakehouse/rules/vocabulary.py."""
        found: dict[str, object] = {"views_in_session": self.views_in_session, "last_view_at": self.last_view_at}
        lists = ("viewed_1h", "viewed_24h", "viewed_7d", "bought_30d", "cart")
        found |= {name: list(getattr(self, name)) for name in lists}
        found |= {f"consent_{purpose}": self.consent[purpose] for purpose in PURPOSES if purpose in self.consent}
        return found | {"loyalty_tier": self.loyalty_tier} if self.tells_tier else found


def recent_of(store: OnlineStore, identifiers: Collection[Identifier]) -> list[Entry]:
    """The entries of all timelines of one visitor's identifiers, as `recent_behaviour` takes them.

    A device several people log in on has entries of all of them: those that name a user who is not among the identifiers are
    somebody else's. Where no user is among them, the entries of one user may be the visitor's own, just before it is
    known; of several, they are not told apart and left out.

    Raises:
        StoreError: the store does not answer.
    """
    keys = [key_of(timeline, one) for one in dict.fromkeys(identifiers) for timeline in TIMELINES]
    found = (entry for timeline in store.latest(keys, MOST_ENTRIES) for entry in timeline)
    return of_visitor(_each_once(found), identifiers)


def said_by(store: OnlineStore, identifier: Identifier) -> list[Entry]:
    """What was said under one identifier, whoever said it. Raises StoreError."""
    (entries,) = store.latest([key_of(SAID, identifier)], MOST_ENTRIES)
    return entries


def of_visitor(entries: Sequence[Entry], identifiers: Iterable[Identifier]) -> list[Entry]:
    """See `recent_of`."""
    if not any(_TELLS_USER in entry.value for entry in entries):
        return list(entries)
    users = {token for type_, token in identifiers if type_ == USER}
    named = [(_user(entry), entry) for entry in entries]
    if not users and len(others := {user for user, _ in named if user is not None}) == 1:
        users = others
    return [entry for user, entry in named if user is None or user in users]


def _each_once(entries: Iterable[Entry]) -> list[Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        known = first.setdefault(entry.id, entry)
        if known is not entry and (entry.at_ms, entry.value) < (known.at_ms, known.value):
            first[entry.id] = entry
    return list(first.values())


def _user(entry: Entry) -> str | None:
    if _TELLS_USER not in entry.value:  # most are not read twice
        return None
    try:
        fact = orjson.loads(entry.value)
    except ValueError:
        return None
    user = fact.get("user") if isinstance(fact, dict) else None
    return user if isinstance(user, str) else None


def recent_behaviour(entries: Iterable[Entry], now: datetime) -> RecentBehaviour:
    """Fold entries, each counted once by its id; of one id the earliest. What cannot be read is passed over.

    An entry ahead of `now` (another machine's clock) counts as of now.
    """
    now_ms = (now - _EPOCH) // _MILLISECOND
    oldest = now_ms - MONTH_MS
    read = [
        seen
        for one in _each_once(entries)
        if (one.at_ms > oldest or b'"exposure"' in one.value) and (seen := _read(one, now_ms)) is not None
    ]
    newest_first = sorted(read, reverse=True)
    by_kind: dict[str, list[Seen]] = defaultdict(list)
    for seen in newest_first:
        by_kind[seen.fact["kind"]].append(seen)
    tiers = [s.fact["tier"] for s in by_kind["tier"] if isinstance(s.fact.get("tier", 0), str | None)]
    words = _latest_words(by_kind["consent"])
    views, viewed = by_kind["view"], _products(by_kind["view"])
    return RecentBehaviour(
        viewed_1h=tuple(product for product, at_ms in viewed.items() if at_ms > now_ms - HOUR_MS),
        viewed_24h=tuple(product for product, at_ms in viewed.items() if at_ms > now_ms - DAY_MS),
        viewed_7d=tuple(product for product, at_ms in viewed.items() if at_ms > now_ms - WEEK_MS),
        bought_30d=tuple(_products(by_kind["order"])),
        cart=_cart(newest_first),
        views_in_session=_views_in_session(views, [s for s in newest_first if s.fact["kind"] in _BY_VISITOR], now_ms),
        last_view_at=_time(views[0].at_ms) if views else None,
        consent={purpose: seen.fact["allowed"] for purpose, seen in words.items()},
        consent_ms={purpose: seen.at_ms for purpose, seen in words.items()},
        asked_ms=next((seen.at_ms for seen in by_kind["consent"] if "is_signal" not in seen.fact), None),
        loyalty_tier=next(iter(tiers), None),
        tells_tier=bool(tiers),
        exposures=_exposures(by_kind["exposure"]),
        newest_first=tuple(newest_first),
    )


_ACTIONS = {"view": VIEW, "cart_add": CART, "cart_remove": REMOVE, "order": ORDER}
_BY_VISITOR = frozenset({*_ACTIONS, "identify"})
_OF_CART = frozenset({"cart_add", "cart_remove", "order"})


def _read(entry: Entry, now_ms: int) -> Seen | None:
    try:
        fact = orjson.loads(entry.value)
    except ValueError:
        return None
    if not isinstance(fact, dict) or not isinstance(fact.get("kind"), str):
        return None
    at_ms = entry.at_ms
    return Seen(at_ms, entry.id, at_ms if at_ms < now_ms else now_ms, fact)


def _time(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _products(newest_first: Sequence[Seen]) -> dict[str, int]:
    """Each product, in order, and when it was last seen."""
    last: dict[str, int] = {}
    for seen in newest_first:
        product = seen.fact.get("product_id")
        if isinstance(product, str):
            last.setdefault(product, seen.at_ms)
    return last


def _cart(newest_first: Sequence[Seen]) -> tuple[str, ...]:
    """Products in it, the one added last first."""
    held: dict[str, None] = {}
    for one in reversed(newest_first):
        kind = one.fact["kind"]
        if kind not in _OF_CART:
            continue
        product = one.fact.get("product_id")
        if isinstance(product, str):
            held.pop(product, None)
            if kind == "cart_add":
                held[product] = None
        elif kind == "order":
            held.clear()
    return tuple(reversed(held))


def _views_in_session(views: Sequence[Seen], newest_first: Sequence[Seen], now_ms: int) -> int:
    if not newest_first or newest_first[0].at_ms <= now_ms - SESSION_GAP_MS:
        return 0
    session = next((one.fact["session_id"] for one in newest_first if "session_id" in one.fact), None)
    if session is not None:
        return sum(one.fact.get("session_id") == session for one in views)
    began = newest_first[0].at_ms
    for one in newest_first:
        if one.at_ms <= began - SESSION_GAP_MS:
            break
        began = one.at_ms
    return sum(one.at_ms >= began for one in views)


def _latest_words(newest_first: Sequence[Seen]) -> dict[str, Seen]:
    """Of each purpose the latest word."""
    found: dict[str, Seen] = {}
    for seen in newest_first:
        if isinstance(seen.fact.get("purpose"), str) and isinstance(seen.fact.get("allowed"), bool):
            found.setdefault(seen.fact["purpose"], seen)
    return found


def _exposures(newest_first: Sequence[Seen]) -> dict[str, tuple[datetime, ...]]:
    found: dict[str, list[datetime]] = {}
    for seen in newest_first:
        if isinstance(offer := seen.fact.get("offer"), str):
            found.setdefault(offer, []).append(_time(seen.at_ms))
    return {offer: tuple(shown) for offer, shown in found.items()}

"""A message -> entries of the timelines of its visitor: what decisions may know of it before any micro-batch does.

One message may say several things; each is an entry `<message_id>:<kind>:<n>`, on a timeline of every usable identifier
the message carries. A profile's behaviour is the union over its identifiers (lakehouse/online/recent_behaviour.py), so a merge or a
split moves nothing here, either.

    r:<type>:<token>    view, cart_add, cart_remove, order (one per line), identify
    s:<type>:<token>    consent (one per purpose), tier: what was said stays, however much is viewed after it
    x:<type>:<token>    exposure
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from lakehouse.config.declarations import DAY_MS
from lakehouse.events.commerce import PRODUCTS, name_of_lines
from lakehouse.events.consent import Heard
from lakehouse.events.figures import product_text
from lakehouse.events.identifier import Identifier
from lakehouse.events.reader import Message, Reader, at, text, text_at
from lakehouse.events.traits import LOYALTY_TIER, told_traits
from lakehouse.online.store import Entry, OnlineStore

MOST_ENTRIES = 200  # of each timeline
KEPT_MS = 31 * DAY_MS  # a timeline's, after its newest entry: nothing older than 30 days is read
BEHAVIOUR, SAID, EXPOSED = "r", "s", "x"
USER = "user_id"  # the identifier that tells people apart who share all others
TIMELINES = (BEHAVIOUR, SAID, EXPOSED)
_TIMELINE = {"consent": SAID, "tier": SAID, "exposure": EXPOSED}
_OF_PRODUCT = {
    "Product Viewed": "view",
    "Product Added": "cart_add",
    "Wishlist Product Added to Cart": "cart_add",
    "Product Removed": "cart_remove",
}
_OFFERS = ("properties.offer", "properties.promotion_id", "properties.promotionId")
_EPOCH = datetime.fromtimestamp(0, UTC)

Fact = dict[str, Any]
Placed = tuple[str, Entry]
"""A timeline's key, and an entry of it."""


def entries(message: Any, reader: Reader, *, arrived_at: datetime) -> list[Placed]:
    """What a Segment-spec message (parsed JSON) adds to which timeline; nothing where it says nothing, or is no message.

    Without a usable message id or identifier it cannot be told from others, and adds nothing.
    """
    return entries_of_many([message], reader, arrived_at=arrived_at)


def entries_of_many(messages: Iterable[Any], reader: Reader, *, arrived_at: datetime) -> list[Placed]:
    """The same of messages that arrived together."""
    found: list[Placed] = []
    read = [message for message in messages if isinstance(message, Mapping)]
    for message, identifiers in zip(read, reader.identifiers_of(read) if read else (), strict=True):
        message_id = text(message, "message_id")
        if message_id is None or not identifiers:
            continue
        facts = list(_facts(message, reader.event_name(message), reader.consent(message)))
        if facts:  # most pages and own events say nothing that a timeline has
            at_ms = (reader.occurred_at(message, arrived_at) - _EPOCH) // timedelta(milliseconds=1)
            found += _placed(facts, message_id, identifiers, at_ms)
    return found


def entries_of(
    message: Message,
    message_id: str,
    identifiers: Sequence[Identifier],
    at_ms: int,
    *,
    event: str | None,
    consented: Heard | None,
) -> list[Placed]:
    """As `entries`, of a message that is read already. `consented`: what it says of consent; None = nothing."""
    return _placed(_facts(message, event, consented), message_id, identifiers, at_ms)


def _placed(facts: Iterable[Fact], message_id: str, identifiers: Sequence[Identifier], at_ms: int) -> list[Placed]:
    user = next(({"user": token} for type_, token in identifiers if type_ == USER), {})
    found = []
    for n, fact in enumerate(facts):
        kind, fact = fact["kind"], fact | user
        entry = Entry(at_ms, f"{message_id}:{kind}:{n}", orjson.dumps(fact))
        found += [(key_of(_TIMELINE.get(kind, BEHAVIOUR), one), entry) for one in identifiers]
    return found


def key_of(timeline: str, identifier: Identifier) -> str:
    type_, token = identifier
    return f"{timeline}:{type_}:{token}"


def remember(store: OnlineStore, placed: Iterable[Placed]) -> None:
    """Append what `entries` found; the same again changes nothing.

    Raises:
        StoreError: the store does not answer.
    """
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for key, entry in placed:
        by_key[key].append(entry)
    store.append(by_key, keep=MOST_ENTRIES, keep_ms=KEPT_MS)


def _facts(message: Message, event: str | None, consented: Heard | None) -> Iterator[Fact]:
    """In one order, so that the numbers of a message's entries never change."""
    type_ = text(message, "type")
    for purpose, allowed in ({} if consented is None else consented.words).items():
        if allowed is not None:
            signal = {} if consented is None or consented.is_answer else {"is_signal": True}
            yield {"kind": "consent", "purpose": purpose, "allowed": allowed, **signal}
    if type_ == "identify":
        yield {"kind": "identify"}
        traits = told_traits(message) or {}
        if LOYALTY_TIER in traits:
            yield {"kind": "tier", "tier": traits[LOYALTY_TIER]}
    if type_ != "track":
        return
    session = text(message, "session_id")
    lines = _lines(message, event)
    own = _line(at(message, "properties"), text(message, "product_id"))
    if event in _OF_PRODUCT:
        product = own if "product_id" in own or len(lines) != 1 else {**own, **lines[0]}
        yield _named({"kind": _OF_PRODUCT[event], **product, "session_id": session})
    elif event == "Order Completed":
        for line in lines or [own]:
            yield _named({"kind": "order", **line, "session_id": session})
    elif event == "Promotion Viewed":
        offer = next(filter(None, (text_at(message, place) for place in _OFFERS)), None)
        if offer is not None:
            yield _named({"kind": "exposure", "offer": offer, "session_id": session})


def _lines(message: Message, event: str | None) -> list[Fact]:
    properties = at(message, "properties")
    if not isinstance(properties, Mapping):
        return []
    names_order = text(message, "order_id") is not None
    sent = properties.get((name_of_lines(properties, event) if names_order else None) or PRODUCTS)
    lines = (line for line in sent if isinstance(line, Mapping)) if isinstance(sent, list) else ()
    return [_line(line, product_text(line)) for line in lines]


def _line(sent: Any, product: str | None) -> Fact:
    """Product, category and price of a line, or of properties; what is not there, or no product, is left out."""
    if not isinstance(sent, Mapping):
        return {}
    return _named({"product_id": product, "category": text_at(sent, "category"), "price": _price(sent.get("price"))})


def _price(sent: Any) -> float | None:
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        return None
    try:
        price = float(sent)
    except (ValueError, OverflowError):
        return None
    return price if 0 <= price < float("inf") else None


def _named(fact: Fact) -> Fact:
    return {name: value for name, value in fact.items() if value is not None}

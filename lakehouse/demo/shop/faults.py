"""Records with one planted fault each, and the reason each must be quarantined under.

Every fault has an anonymousId of its own, so a record that slips through shows up as a stranger. `id_conflict` is not
here: it needs a message to contradict, so `simulator.py` plants it.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from lakehouse.demo.shop.clock import END_MS, START_MS, iso
from lakehouse.demo.shop.devices import uuid
from lakehouse.demo.truth import Truth

OVERSIZED_BYTES = 40 * 1024
DEPTH = 200
BLOCKED = ("undefined", "null", "0000", "anonymous")
VISITOR = "visitor"  # behaviour of the strangers who send the two accepted kinds


class Planted(NamedTuple):
    """One faulty record. Null key or value: sent as null."""

    received_ms: int
    key: bytes | None
    value: bytes | None


def plant(rng: Random, truth: Truth, per_kind: int) -> Iterator[Planted]:
    """`per_kind` records of every kind in `FAULTS`, at any time of the calendar, entered into the truth."""
    for kind, (reason, make) in FAULTS.items():
        for number in range(per_kind):
            at = START_MS + int(rng.random() * (END_MS - START_MS))
            event = _event(rng, at, number)
            value = make(event, number)
            readable = kind not in _UNREADABLE
            truth.add_fault(kind, reason, event.get("messageId") if readable else None)
            anonymous_id = str(event.get("anonymousId") or event.get("userId"))
            if reason is None:
                _accept(truth, event, kind, number, at)
            key = None if kind == "null_key" else anonymous_id.encode()
            yield Planted(at + 200, key, value)


def _accept(truth: Truth, event: dict[str, Any], kind: str, number: int, at: int) -> None:
    person_id = f"v-{kind}-{number}"
    truth.behaviours[person_id] = VISITOR
    truth.add_message(event["messageId"], person_id, (None, None, None, None, None, event["anonymousId"]), at)


def _event(rng: Random, at: int, number: int) -> dict[str, Any]:
    """A sound Product Viewed: what the faults are made of."""
    return {
        "messageId": uuid(rng),
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": uuid(rng),
        "originalTimestamp": iso(at),
        "sentAt": iso(at + 100),
        "receivedAt": iso(at + 200),
        "context": {"library": {"name": "analytics.js", "version": "2.11.1"}},
        "properties": {"product_id": f"boo-00{number % 10}", "price": 12.99, "quantity": 1},
    }


def _encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _order(event: dict[str, Any], **properties: Any) -> bytes:
    event |= {"event": "Order Completed", "properties": {"revenue": 12.99, "currency": "USD"} | properties}
    return _encode(event)


def _without(*names: str) -> Callable[[dict[str, Any], int], bytes]:
    def make(event: dict[str, Any], number: int) -> bytes:
        for name in names:
            del event[name]
        return _encode(event)

    return make


def _with(**fields: Any) -> Callable[[dict[str, Any], int], bytes]:
    return lambda event, number: _encode(event | fields)


def _not_json(event: dict[str, Any], number: int) -> bytes:
    return _encode(event)[: -10 - number] if number % 2 else b"not json at all"


def _in_year(year: str, *, is_sent: bool) -> Callable[[dict[str, Any], int], bytes]:
    """A client time of another century beside a sane sentAt or none."""

    def make(event: dict[str, Any], number: int) -> bytes:
        event["originalTimestamp"] = f"{year}-06-15T12:00:00.000Z"
        if not is_sent:
            del event["sentAt"]
        return _encode(event)

    return make


def _oversized(event: dict[str, Any], number: int) -> bytes:
    event["properties"]["note"] = ""
    event["properties"]["note"] = "x" * (OVERSIZED_BYTES - len(_encode(event)))
    return _encode(event)


def _too_deep(event: dict[str, Any], number: int) -> bytes:
    nested = b'{"a":' * DEPTH + b"1" + b"}" * DEPTH
    return _encode(event).replace(b'"quantity":1', b'"quantity":1,"nested":' + nested)


def _duplicate_keys(event: dict[str, Any], number: int) -> bytes:
    name = ("type", "messageId", "anonymousId")[number % 3]
    return _encode(event)[:-1] + f',"{name}":"{event[name]}"}}'.encode()


def _blocked(event: dict[str, Any], number: int) -> bytes:
    del event["anonymousId"]
    event["userId" if number % 2 else "anonymousId"] = BLOCKED[number % len(BLOCKED)]
    return _encode(event)


# kind -> (expected reason, null = accepted; how to make the record)
FAULTS: dict[str, tuple[str | None, Callable[[dict[str, Any], int], bytes | None]]] = {
    "not_json": ("malformed_json", _not_json),
    "not_an_object": (
        "not_an_object",
        lambda event, number: (b"[1,2,3]", b'"hello"', b"42", b"[]", b"true")[number % 5],
    ),
    "invalid_utf8": ("invalid_utf8", lambda event, number: _encode(event).replace(b"Product V", b"Product \xff\xfeV")),
    "null_value": ("null_value", lambda event, number: None),
    "null_key": (None, lambda event, number: _encode(event)),
    "missing_message_id": ("missing_field", _without("messageId")),
    "missing_type": ("missing_field", _without("type")),
    "unknown_type": ("unknown_type", _with(type="purchase")),
    "wrong_type": ("wrong_type", _with(event={"name": "Product Viewed"})),
    "track_without_event": ("missing_field", _without("event")),
    "oversized": ("oversized", _oversized),
    "too_deep": ("too_deep", _too_deep),
    "nan": ("malformed_json", lambda event, number: _encode(event).replace(b"12.99", b"NaN")),
    "duplicate_json_keys": ("duplicate_keys", _duplicate_keys),
    "year_1969": ("timestamp_out_of_range", _in_year("1969", is_sent=True)),
    "year_2999": ("timestamp_out_of_range", _in_year("2999", is_sent=False)),
    "sent_before_it_happened": (None, _in_year("2999", is_sent=True)),
    "negative_order": (
        "negative_amount",
        lambda event, number: _order(event, order_id=f"negative-{number}", revenue=-12.99),
    ),
    "negative_price": (None, _with(properties={"product_id": "boo-001", "price": -12.99, "quantity": 1})),
    "unknown_currency": (
        "unknown_currency",
        lambda event, number: _order(event, order_id=f"bad-{number}", currency="ZZZ"),
    ),
    "order_without_id": ("missing_field", lambda event, number: _order(event)),
    "blocked_identifier": ("no_usable_identifier", _blocked),
    "blocked_value_beside_good": (None, _with(userId="null")),
}
_UNREADABLE = {
    "not_json",
    "not_an_object",
    "invalid_utf8",
    "null_value",
    "nan",
    "oversized",
    "too_deep",
    "missing_message_id",
}

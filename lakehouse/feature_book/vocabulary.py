"""What the expressions of a feature may read of an event, and of a line of an order. Every word may be null."""

from collections.abc import Iterable, Mapping, Sequence

from lakehouse.events.declared_properties import DeclaredProperty
from lakehouse.features.definition import Source
from lakehouse.features.facts import LEAF_COLUMNS
from lakehouse.rules.vocabulary import Term, Type

_OF_EVENTS: Mapping[str, tuple[Type, str]] = {
    "event_type": ("text", "track, identify, page, screen, group or alias"),
    "event_name": ("text", "name of a track event, such as Product Viewed"),
    "occurred_at": ("time", "when the event happened"),
    "product_id": ("text", "product of the event; of a line, its product"),
    "order_id": ("text", "order of an order event"),
    "amount": ("number", "value of an order event, amount of a refund; default currency"),
    "currency": ("text", "ISO 4217 code the amount was sent in"),
    "coupon": ("text", "coupon code"),
    "campaign": ("text", "context.campaign.name"),
    "channel": ("text", "channel as sent: web, mobile, server, store, call_center"),
    "session_id": ("text", "session as sent"),
    "query": ("text", "search text of Products Searched"),
    "page_url": ("text", "address of the page, without its query string"),
    "group_id": ("text", "groupId of a group event"),
    "device": ("text", "class of the device, by its user agent"),
    "browser": ("text", "browser, by its user agent"),
    "traffic_channel": ("text", "how the visitor came, of an event that tells of an arrival"),
    "traffic_source": ("text", "from where, likewise"),
    "country": ("text", "ISO 3166 code of the address the event came from"),
}
_OF_LINES: Mapping[str, tuple[Type, str]] = {
    "product_name": ("text", "name of the line's product"),
    "quantity": ("number", "pieces, kilograms or metres of the line"),
    "price": ("number", "of one piece, default currency"),
}
_COLUMN = {
    "device": "agent",
    "browser": "agent",
    "traffic_channel": "traffic",
    "traffic_source": "traffic",
    "country": "location",
}
_OF_LEAF = {*LEAF_COLUMNS, *_OF_LINES, "event_type", "event_name", "amount"}
_PROPERTY_TYPES: Mapping[str, Type] = {
    "string": "text",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "timestamp": "time",
}


def words(source: Source, properties: Sequence[DeclaredProperty]) -> Mapping[str, Term]:
    """By name. A declared property is named as its column of silver.events: p_ and its name."""
    declared = {one.column.name: (_PROPERTY_TYPES[one.type], one.description) for one in properties}
    known = {**_OF_EVENTS, **(_OF_LINES if source == "lines" else {}), **declared}
    return {name: Term(name, type_, source, meaning) for name, (type_, meaning) in known.items()}


def columns(read: Iterable[str]) -> tuple[str, ...]:
    """The columns of silver.events that these words need besides what every leaf is made of."""
    return tuple(sorted({_COLUMN.get(name, name) for name in read} - _OF_LEAF))

"""Where each field of a Segment-spec message lies in its JSON, and the one Spark SQL type that reads them all at once.

Source: Segment spec, common fields and ecommerce events. Both camelCase and snake_case places are read.
"""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault_at, first

_NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Text:
    """A field that must be text: its places, of which the first that holds something wins, and its longest length."""

    places: tuple[str, ...]
    limit: int = _NO_LIMIT


def _id(*places: str) -> Text:
    return Text(places=places, limit=200)


def _text(*places: str) -> Text:
    return Text(places=places)


TEXTS: dict[str, Text] = {
    "type": _text("type"),
    "message_id": Text(places=("messageId",), limit=100),
    "user_id": _id("userId"),
    "anonymous_id": _id("anonymousId"),
    "previous_id": _id("previousId"),
    "group_id": _id("groupId"),
    "event_name": _text("event"),
    "page_name": _text("name"),
    "original_timestamp": _text("originalTimestamp", "timestamp"),
    "sent_at": _text("sentAt"),
    "email": _id("traits.email", "context.traits.email", "properties.email"),
    "phone": _id("traits.phone", "context.traits.phone", "properties.phone"),
    "loyalty_id": _id(
        *("traits.loyalty_id", "traits.loyaltyId", "context.traits.loyalty_id", "context.traits.loyaltyId"),
        *("properties.loyalty_id", "properties.loyaltyId"),
    ),
    "device_id": _id("context.device.id"),
    "order_id": _id("properties.order_id", "properties.orderId"),
    "product_id": _id("properties.product_id", "properties.productId"),
    "session_id": _id("properties.session_id", "properties.sessionId", "context.session_id", "context.sessionId"),
    "currency": _text("properties.currency"),
    "coupon": _text("properties.coupon", "properties.coupon_id", "properties.couponId", "properties.coupon_name"),
    "campaign": _text("context.campaign.name"),
    "channel": _text("channel", "context.channel"),
}
OBJECTS = ("context", "properties", "traits")
AMOUNTS = {name: f"properties.{name}" for name in ("revenue", "total", "value", "price", "quantity")}

# Places read as they are: anything unusable there is as good as absent.
_OTHERS: dict[str, str] = {
    **dict.fromkeys(("receivedAt", "context.userAgent", "context.page.url", "properties.url"), "string"),
    **dict.fromkeys(("properties.query", *AMOUNTS.values()), "string"),
    **{
        f"traits.address.{part}": "string"
        for part in ("street", "city", "region", "state", "postal_code", "postalCode", "country")
    },
    "context.consent.categoryPreferences": "struct<analytics:boolean,personalization:boolean,marketing:boolean>",
}


def ddl() -> str:
    """The Spark SQL type of the whole message: every place of TEXTS as text, and the others."""
    tree: dict[str, Any] = {}
    leaves = {place: "string" for text in TEXTS.values() for place in text.places} | _OTHERS
    for place, type_ in leaves.items():
        *parents, leaf = place.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = type_
    return _render(tree)


def _render(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "struct<" + ",".join(f"{name}:{_render(child)}" for name, child in node.items()) + ">"


def at(place: str) -> Column:
    """What the message (column `message`) holds at a place."""
    return F.col(f"message.{place}")


def sent(field: str) -> Column:
    """The field of TEXTS as it was sent, without spaces around it; null = absent or blank in every place.

    Numbers and booleans come as text.
    """
    return F.trim(F.coalesce(*(_if_of_sender(place, not_blank(at(place))) for place in TEXTS[field].places)))


def _if_of_sender(place: str, text: Column) -> Column:
    """Null where the place does not speak of who sent the event.

    The traits of a group call are the group's: its e-mail and telephone would tie everybody who works there together. And
    a previousId makes two ids one person in an alias call only.
    """
    type_ = F.trim(at("type"))
    if place.startswith("traits."):
        return F.when(~type_.eqNullSafe("group"), text)
    return F.when(type_ == "alias", text) if place == "previousId" else text


def not_blank(text: Column) -> Column:
    return F.when(F.trim(text) != "", text)


def array_at(place: str, element: str) -> Column:
    """What the document (column `document`) holds at a place that should be an array; null when it is none.

    Read from the variant, not from the message: Spark 4.2 takes elements out of a stored array far more slowly than out
    of one it has just made.
    """
    return F.try_variant_get("document", f"$[0].{place}", f"array<{element}>")


def is_other_than(kind: str, place: str) -> Column:
    """Whether the document (column `document`) holds something at `place` that is not of the kind (OBJECT, ARRAY)."""
    held = F.schema_of_variant(F.try_variant_get("document", f"$[0].{place}", "variant"))
    return F.coalesce(~held.rlike(f"^({kind}<|VOID$)"), F.lit(False))


def text_verdict() -> Column:
    """First fault of the fields of TEXTS; null = none. Reads columns `sent_<field>`.

    An object or array where text belongs, found by its opening bracket and then made sure of: a text may start with one,
    too. A text longer than its limit. The rule is written once, over an array, for the few records that may break it.
    """
    may_be_nested = [_starts_nested(F.col(f"sent_{field}")) for field in TEXTS]
    limited = [F.octet_length(f"sent_{field}") for field, text in TEXTS.items() if text.limit != _NO_LIMIT]
    shortest = min(text.limit for text in TEXTS.values())
    fields = [
        F.struct(
            F.lit(text.places[0]).alias("place"), F.lit(text.limit).alias("limit"), F.col(f"sent_{field}").alias("sent")
        )
        for field, text in TEXTS.items()
    ]
    is_suspicious = reduce(or_, may_be_nested) | (F.greatest(*limited) > shortest)
    return F.when(is_suspicious, F.array_min(F.transform(F.array(*fields), _fault)))


def _starts_nested(text: Column) -> Column:
    return text.startswith("{") | text.startswith("[")


def _fault(field: Column) -> Column:
    text, place, limit = field["sent"], field["place"], field["limit"]
    is_nested = _starts_nested(text) & F.try_parse_json(text).isNotNull()
    is_long = F.char_length(text) > limit
    return first(
        (is_nested, fault_at(R.WRONG_TYPE, place, F.lit("text expected"))),
        (is_long, fault_at(R.VALUE_TOO_LONG, place, F.concat(F.lit("at most "), limit, F.lit(" characters expected")))),
    )

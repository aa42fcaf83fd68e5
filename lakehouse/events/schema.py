"""Where each field of a Segment-spec message lies in its JSON, and the one Spark SQL type that reads them all at once.

Source: Segment spec, common fields and ecommerce events. Both camelCase and snake_case places are read.
"""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import Blocked
from lakehouse.events.verdict import fault, first, if_any

_NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Text:
    """A field that must be text: its places, of which the first that holds something wins, and its longest length.

    is_id: brought into the one form of ids. is_held: a placeholder there is no id, see lakehouse/events/blocked_values.py; those
    of identifiers are dropped where identifiers are read.
    """

    places: tuple[str, ...]
    limit: int = _NO_LIMIT
    is_id: bool = False
    is_held: bool = False


def _identifier(*places: str) -> Text:
    return Text(places=places, limit=200, is_id=True)


def _id(*places: str) -> Text:
    return Text(places=places, limit=200, is_id=True, is_held=True)


def _text(*places: str) -> Text:
    return Text(places=places)


TEXTS: dict[str, Text] = {
    "type": _text("type"),
    "message_id": Text(places=("messageId",), limit=100),
    "user_id": _identifier("userId"),
    "anonymous_id": _identifier("anonymousId"),
    "previous_id": _identifier("previousId"),
    "group_id": _id("groupId"),
    "event_name": _text("event"),
    "page_name": _text("name"),
    "original_timestamp": _text("originalTimestamp", "timestamp"),
    "sent_at": _text("sentAt"),
    "email": Text(places=("traits.email", "context.traits.email", "properties.email"), limit=400),
    "phone": Text(places=("traits.phone", "context.traits.phone", "properties.phone"), limit=200),
    "loyalty_id": _identifier(
        *("traits.loyalty_id", "traits.loyaltyId", "context.traits.loyalty_id", "context.traits.loyaltyId"),
        *("properties.loyalty_id", "properties.loyaltyId"),
    ),
    "device_id": _identifier("context.device.id"),
    "order_id": _id("properties.order_id", "properties.orderId"),
    "product_id": _id("properties.product_id", "properties.productId"),
    "session_id": _id("properties.session_id", "properties.sessionId", "context.session_id", "context.sessionId"),
    "currency": Text(places=("properties.currency",), is_id=True),
    "coupon": _text("properties.coupon", "properties.coupon_id", "properties.couponId", "properties.coupon_name"),
    "campaign": _text("context.campaign.name"),
    "channel": _text("channel", "context.channel"),
}
OBJECTS = ("context", "properties", "traits")
AMOUNTS = {name: f"properties.{name}" for name in ("revenue", "total", "value", "price", "quantity")}
# Of what an event tells in its properties only the declared events' address and telephone are the sender's own.
OF_DECLARED_EVENTS = ("properties.email", "properties.phone")

# Places read as they are: anything unusable there is as good as absent.
_OTHERS: dict[str, str] = {
    **dict.fromkeys(("receivedAt", "context.userAgent", "context.page.url", "properties.url"), "string"),
    **dict.fromkeys(("properties.query", "context.library.name", *AMOUNTS.values()), "string"),
    **{
        f"traits.address.{part}": "string"
        for part in ("street", "city", "region", "state", "postal_code", "postalCode", "country")
    },
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


def sent(field: str, declared: Column | None = None) -> Column:
    """The field of TEXTS as it was sent, without blanks around it; null = absent or blank in every place.

    Numbers and booleans come as text. `declared`: whether the event is one whose properties speak of its
    sender; None = no event is.
    """
    declared = F.lit(False) if declared is None else declared
    return F.trim(F.coalesce(*(_if_of_sender(place, not_blank(at(place)), declared) for place in TEXTS[field].places)))


def _if_of_sender(place: str, text: Column, declared: Column) -> Column:
    """Null where the place does not speak of who sent the event.

    The traits of a group call are the group's: its e-mail and telephone would tie everybody who works there together. And
    a previousId makes two ids one person in an alias call only.
    """
    type_ = F.trim(at("type"))
    if place in OF_DECLARED_EVENTS:
        return F.when(declared, text)
    if place.startswith("traits."):
        return F.when(~type_.eqNullSafe("group"), text)
    return F.when(type_ == "alias", text) if place == "previousId" else text


def not_blank(text: Column) -> Column:
    return F.when(F.trim(text) != "", text)


def in_one_form() -> dict[str, Column]:
    """`sent_<field>` of the fields that are ids, in their one form; empty when nothing was left. A step of its own: it is read often."""
    return {f"sent_{field}": ids.normalised(F.col(f"sent_{field}")) for field, text in TEXTS.items() if text.is_id}


def usable(field: str, junk: Blocked) -> Column:
    """Column `sent_<field>` where it can be what the field must be; else null. `junk`: what is no id."""
    text, rule = F.col(f"sent_{field}"), TEXTS[field]
    is_usable = (text != "") & ~_is_nested(text)
    if rule.limit != _NO_LIMIT:
        is_usable = is_usable & (F.char_length(text) <= rule.limit)
    if rule.is_held:
        is_usable = is_usable & junk.misses(text)
    return F.when(is_usable, text)


def usable_id(text: Column) -> Column:
    """An id anywhere else in the document: its one form, null where nothing is left or it is too long."""
    normal = ids.normalised(F.trim(text))
    return F.when((normal != "") & (F.char_length(normal) <= 200), normal)


def lacking(field: str) -> Column:
    """Why a field that an event needs is null: what was sent there is of no use, or nothing was, a placeholder included."""
    return F.coalesce(_spoilt(field), fault(R.MISSING_FIELD, TEXTS[field].places[0]))


def array_at(place: str, element: str) -> Column:
    """What the document (column `document`) holds at a place that should be an array; null when it is none.

    Read from the variant, not from the message: Spark 4.2 takes elements out of a stored array far more slowly than out
    of one it has just made.
    """
    return F.try_variant_get("document", f"$[0].{place}", f"array<{element}>")


def is_other_than(kind: str, place: str) -> Column:
    """Whether the document (column `document`) holds something at `place` that is not of the kind (OBJECT, ARRAY).

    An empty array or object says nothing: PHP writes the one for the other.
    """
    held = F.schema_of_variant(F.try_variant_get("document", f"$[0].{place}", "variant"))
    return F.coalesce(~held.rlike(f"^({kind}<|VOID$|ARRAY<VOID>$|OBJECT<>$)"), F.lit(False))


def structure_faults() -> Column:
    """Anything else where an object belongs, an array that may hold nulls; null = nothing. Reads `document` and `message`."""
    told = [
        F.when(at(place).isNull() & is_other_than("OBJECT", place), fault(R.WRONG_TYPE, f"{place}: object expected"))
        for place in OBJECTS
    ]
    return if_any(told)


def text_faults() -> Column:
    """What is wrong with the fields of TEXTS, an array that may hold nulls; null = nothing. Reads columns `sent_<field>`, `<field>`."""
    is_dropped = reduce(or_, ((F.col(f"sent_{field}") != "") & F.col(field).isNull() for field in TEXTS))
    return F.when(is_dropped, F.array(*(_fault(field) for field in TEXTS)))


def _is_nested(text: Column) -> Column:
    """An object or array where text belongs, found by its opening bracket and then made sure of: a text may start with one, too."""
    return (text.startswith("{") | text.startswith("[")) & F.try_parse_json(text).isNotNull()


def _fault(field: str) -> Column:
    """Why column `<field>` is null where `sent_<field>` is not."""
    placeholder = fault(R.PLACEHOLDER, f"{TEXTS[field].places[0]}: an id expected")
    is_dropped = (F.col(f"sent_{field}") != "") & F.col(field).isNull()
    return F.when(is_dropped, F.coalesce(_spoilt(field), placeholder))


def _spoilt(field: str) -> Column:
    """Why `sent_<field>` can be no text of this field; null = it can, or nothing was sent."""
    text, rule = F.col(f"sent_{field}"), TEXTS[field]
    return first(
        (_is_nested(text), fault(R.WRONG_TYPE, f"{rule.places[0]}: text expected")),
        (
            F.char_length(text) > rule.limit,
            fault(R.VALUE_TOO_LONG, f"{rule.places[0]}: at most {rule.limit} characters expected"),
        ),
    )

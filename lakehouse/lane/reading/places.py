"""The places of lakehouse/events/schema.py as columns of a message that Spark has read at once."""

from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import Blocked
from lakehouse.events.schema import AMOUNTS, NO_LIMIT, OF_DECLARED_EVENTS, TEXTS
from lakehouse.lane.reading.verdict import fault, first

# Spark names fields in capitals or not: what of places differs in that alone is read by the lake.
PLACES = {
    field: tuple({place.lower(): place for place in reversed(text.places)}.values())[::-1]
    for field, text in TEXTS.items()
}
_OTHERS = ("receivedAt", "context.userAgent", "context.library.name", *AMOUNTS.values())


def ddl() -> str:
    """The Spark SQL type of the whole message: every place as text."""
    tree: dict[str, Any] = {}
    for place in (*(place for places in PLACES.values() for place in places), *_OTHERS):
        *parents, leaf = place.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = "string"
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
    return F.trim(F.coalesce(*(_if_of_sender(place, not_blank(at(place)), declared) for place in PLACES[field])))


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
    """The text; null where it says nothing, as an empty array or object does."""
    return F.when(~F.trim(text).isin("", "[]", "{}"), text)


def in_one_form() -> dict[str, Column]:
    """`sent_<field>` of the fields that are ids, in their one form; empty when nothing was left. A step of its own: it is read often."""
    return {f"sent_{field}": ids.normalised(F.col(f"sent_{field}")) for field, text in TEXTS.items() if text.is_id}


def usable(field: str, junk: Blocked) -> Column:
    """Column `sent_<field>` where it can be what the field must be; else null. `junk`: what is no id."""
    text, rule = F.col(f"sent_{field}"), TEXTS[field]
    is_usable = (text != "") & ~_is_nested(text)
    if rule.limit != NO_LIMIT:
        is_usable = is_usable & (F.char_length(text) <= rule.limit)
    if rule.is_held:
        is_usable = is_usable & junk.misses(text)
    return F.when(is_usable, text)


def usable_id(text: Column, junk: Blocked) -> Column:
    """An id in its one form, from anywhere else in the document; null where nothing is left, it is too long or a placeholder."""
    return F.when((text != "") & (F.char_length(text) <= 200) & junk.misses(text), text)


def lacking(field: str) -> Column:
    """Why a field that an event needs is null: what was sent there is of no use, or nothing was, a placeholder included."""
    return F.coalesce(spoilt(field), fault(R.MISSING_FIELD, TEXTS[field].places[0]))


def array_at(place: str, element: str) -> Column:
    """What the document (column `document`) holds at a place that should be an array; null when it is none.

    Read from the variant, not from the message: Spark 4.2 takes elements out of a stored array far more slowly than out
    of one it has just made.
    """
    return F.try_variant_get("document", f"$[0].{place}", f"array<{element}>")


def _is_nested(text: Column) -> Column:
    """An object or array where text belongs, found by its opening bracket and then made sure of: a text may start with one, too."""
    return (text.startswith("{") | text.startswith("[")) & F.try_parse_json(text).isNotNull()


def spoilt(field: str) -> Column:
    """Why `sent_<field>` can be no text of this field; null = it can, or nothing was sent."""
    text, rule = F.col(f"sent_{field}"), TEXTS[field]
    return first(
        (_is_nested(text), fault(R.WRONG_TYPE, f"{rule.places[0]}: text expected")),
        (
            F.char_length(text) > rule.limit,
            fault(R.VALUE_TOO_LONG, f"{rule.places[0]}: at most {rule.limit} characters expected"),
        ),
    )

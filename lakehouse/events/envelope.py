"""The contract of a message: which fields an event of each type needs, and what they may hold. Source: Segment spec."""

from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import clock, commerce, schema
from lakehouse.events import reasons as R
from lakehouse.events.verdict import reject

TYPES = ("track", "identify", "page", "screen", "group", "alias")
MAX_ID_CHARACTERS = 200
MAX_MESSAGE_ID_CHARACTERS = 100
# type -> fields without which the event means nothing
_NEEDED = {"track": ("event_name",), "group": ("group_id",), "alias": ("previous_id", "user_id")}
_BOUNDED = (
    "user_id",
    "anonymous_id",
    "previous_id",
    "group_id",
    "device_id",
    "loyalty_id",
    "email",
    "phone",
    "order_id",
    "product_id",
    "session_id",
)


def verdict(out_of_range: Column) -> Column:
    """First fault of a message that is one JSON object; null = accepted. `out_of_range`: the clock's verdict."""
    document, event_type = F.col("document"), F.col("type")
    missing = [
        reject((event_type == type_) & F.col(field).isNull(), R.MISSING_FIELD, schema.PLACES[field][0])
        for type_, fields in _NEEDED.items()
        for field in fields
    ]
    return F.coalesce(
        _wrong_type(document),
        reject(event_type.isNull(), R.MISSING_FIELD, "type"),
        reject(F.col("message_id").isNull(), R.MISSING_FIELD, "messageId"),
        *missing,
        reject(~event_type.isin(*TYPES), R.UNKNOWN_TYPE, "type: one of " + ", ".join(TYPES) + " expected"),
        _too_long(),
        clock.invalid(F.col("original_timestamp"), F.col("original_timestamp_time"), "originalTimestamp"),
        clock.invalid(F.col("sent_at"), F.col("sent_at_time"), "sentAt"),
        reject(F.col("received_at").isNull(), R.INVALID_TIMESTAMP, "receivedAt: none, and none from Kafka"),
        out_of_range,
        commerce.verdict(F.col("products")),
        reject(F.size("identifiers") == 0, R.NO_USABLE_IDENTIFIER),
    )


def _wrong_type(document: Column) -> Column:
    """An object or array where text is expected, anything else where an object or the products are."""
    may_be = reduce(or_, (F.coalesce(F.ascii(F.col(f)).isin(91, 123), F.lit(False)) for f in schema.TEXT_FIELDS))
    places = [place for field in schema.TEXT_FIELDS for place in schema.PLACES[field]]
    exactly = [reject(schema.is_nested(document, place), R.WRONG_TYPE, f"{place}: text expected") for place in places]
    objects = [
        reject(
            F.col(f"message.{place}").isNull() & schema.is_other_than_object(document, place),
            R.WRONG_TYPE,
            f"{place}: object expected",
        )
        for place in schema.OBJECTS
    ]
    place = "properties.products"
    products = reject(
        F.col("event_name").isin(*commerce.COMMERCE_EVENTS)
        & F.col(f"message.{place}").isNull()
        & schema.is_other_than_null(document, place),
        R.WRONG_TYPE,
        f"{place}: array expected",
    )
    return F.coalesce(F.when(may_be, F.coalesce(*exactly)), *objects, products)


def _too_long() -> Column:
    limits = {"message_id": MAX_MESSAGE_ID_CHARACTERS} | dict.fromkeys(_BOUNDED, MAX_ID_CHARACTERS)
    faults = [
        reject(
            F.char_length(F.col(field)) > limit,
            R.VALUE_TOO_LONG,
            f"{schema.PLACES[field][0]}: at most {limit} characters expected",
        )
        for field, limit in limits.items()
    ]
    return F.coalesce(*faults)

"""The contract of a message: which fields an event of each type needs, and what they may hold. Source: Segment spec."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import commerce, schema
from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault, first

TYPES = ("track", "identify", "page", "screen", "group", "alias")
# fields without which an event means nothing: (type, None = every type; field)
_NEEDED = (
    (None, "type"),
    (None, "message_id"),
    ("track", "event_name"),
    ("group", "group_id"),
    ("alias", "previous_id"),
    ("alias", "user_id"),
)


def structure_verdict() -> Column:
    """Anything else where an object belongs; null = none. Reads `document` and `message`."""
    rules = [
        (
            schema.at(place).isNull() & schema.is_other_than("OBJECT", place),
            fault(R.WRONG_TYPE, f"{place}: object expected"),
        )
        for place in schema.OBJECTS
    ]
    return first(*rules)


def verdict() -> Column:
    """First fault of a message that is one JSON object; null = accepted.

    Reads columns text_verdict, structure_verdict, clock_verdict, identifiers, the fields of _NEEDED and what
    commerce.verdict reads.
    """
    missing = [
        (
            F.col(field).isNull() if type_ is None else (F.col("type") == type_) & F.col(field).isNull(),
            fault(R.MISSING_FIELD, schema.TEXTS[field].places[0]),
        )
        for type_, field in _NEEDED
    ]
    expected = f"type: one of {', '.join(TYPES)} expected"
    return F.coalesce(
        F.col("text_verdict"),
        F.col("structure_verdict"),
        first(*missing, (~F.col("type").isin(*TYPES), fault(R.UNKNOWN_TYPE, expected))),
        F.col("clock_verdict"),
        commerce.verdict(),
        F.when(F.size("identifiers") == 0, fault(R.NO_USABLE_IDENTIFIER)),
    )

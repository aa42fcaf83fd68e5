"""The contract of a message: which fields an event of each type needs, and what they may hold. Source: Segment spec.

Two types are our own: that whoever carries the identifier is to be left alone, or is not any more.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import commerce, schema
from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault, first

SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"  # ours: the decision service sends them, and takes them from nobody
TYPES = ("track", "identify", "page", "screen", "group", "alias", SUPPRESS, UNSUPPRESS)
# fields without which an event means nothing: (type, None = every type; field)
_NEEDED = (
    (None, "type"),
    (None, "message_id"),
    ("track", "event_name"),
    ("group", "group_id"),
    ("alias", "previous_id"),
    ("alias", "user_id"),
)


def verdict() -> Column:
    """First fault that takes the meaning from a message that is one JSON object; null = none.

    Who sent it is not asked here. Reads clock_verdict, `sent_<field>` and `<field>` of _NEEDED, what commerce.verdict reads.
    """
    missing = [
        (
            F.col(field).isNull() if type_ is None else (F.col("type") == type_) & F.col(field).isNull(),
            schema.lacking(field),
        )
        for type_, field in _NEEDED
    ]
    expected = f"type: one of {', '.join(TYPES)} expected"
    return F.coalesce(
        first(*missing, (~F.col("type").isin(*TYPES), fault(R.UNKNOWN_TYPE, expected))),
        F.col("clock_verdict"),
        commerce.verdict(),
    )

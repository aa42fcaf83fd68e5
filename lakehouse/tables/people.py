"""How a table is found for a person, and contracts of what is written down about people who were erased."""

from dataclasses import dataclass
from enum import StrEnum


class By(StrEnum):
    """What a column says of a person."""

    ACTOR = "actor"  # actor_id, or a profile_id, which is the actor_id of one of its actors
    MESSAGE = "message"  # message_id of an event of theirs
    VISITOR = "visitor"  # visitor_id of an event of theirs
    ORDER = "order"  # order_id of an event of theirs
    UNIT = "unit"  # a profile_id, or <identifier type>:<token>
    MATCH = "match"  # two actors that may be one person, as the token of an edge
    BYTES = "bytes"  # bytes in which a UNIT of theirs stands


@dataclass(frozen=True, kw_only=True)
class ByColumns:
    """Rows of a person hold in `column` what `by` says. stays: why they are not deleted with the person, and until when; None = they are."""

    column: str
    by: By
    stays: str | None = None


@dataclass(frozen=True, kw_only=True)
class ByIdentifier:
    """Rows of a person name an identifier that nobody else carries: its type in one column, its token in another."""

    type_column: str
    token_column: str


@dataclass(frozen=True)
class ByRecord:
    """Rows of a person are of Kafka records of theirs: (topic, partition, offset)."""


@dataclass(frozen=True)
class Nobody:
    """No row is of a person. why: what rows are of instead."""

    why: str


RECORD = ByRecord()
PLACE = ("topic", "partition", "offset")
Way = ByColumns | ByIdentifier | ByRecord


def columns_of(way: Way) -> tuple[str, ...]:
    """What of a row it looks at."""
    match way:
        case ByColumns():
            return (way.column,)
        case ByIdentifier():
            return way.type_column, way.token_column
        case ByRecord():
            return PLACE


def by(column: str, what: By, *, stays: str | None = None) -> ByColumns:
    return ByColumns(column=column, by=what, stays=stays)

"""What a rule may read: one flat name for each fact, its type, and what it means. Every one may be null."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from lakehouse.profiles.gold.activation import GOLD_ACTIVATION

Type = Literal["number", "text", "boolean", "time", "texts", "null"]  # null: of a literal null, until it is typed
SQL_TYPES: Mapping[Type, str] = {
    "number": "double",
    "text": "string",
    "boolean": "boolean",
    "time": "timestamp",
    "texts": "array<string>",
    "null": "void",
}
EVENT = "event"
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Term:
    """One word of the vocabulary."""

    name: str
    type: Type
    group: str
    meaning: str


def _terms(group: str, **words: tuple[Type, str]) -> list[Term]:
    return [Term(name, type_, group, meaning) for name, (type_, meaning) in words.items()]


def _of_activation() -> list[Term]:
    """The columns of gold.activation that say under which group rules may read them."""
    types: Mapping[str, Type] = {"string": "text", "boolean": "boolean", "timestamp": "time"}
    return [
        Term(column.name, types.get(column.type, "number"), column.term, column.comment)
        for column in GOLD_ACTIVATION.columns
        if column.term is not None
    ]


VOCABULARY: Mapping[str, Term] = {
    term.name: term
    for term in (
        *_terms(
            EVENT,
            event_type=("text", "track, identify, page, screen, group or alias; null when no event is decided on"),
            event_name=("text", "name of a track event, such as Product Viewed"),
            product_id=("text", "product of the event, or of the page the visitor is on"),
            category=("text", "its category"),
            price=("number", "its price, default currency"),
            page_type=("text", "home, category, product, cart, ... as the page says"),
            device=("text", "mobile, desktop, ... as the page says"),
            occurred_at=("time", "when the event happened"),
        ),
        *_terms(
            "profile",
            is_known=("boolean", "has a user id; false for an anonymous visitor"),
        ),
        *_of_activation(),
        *_terms(
            "recent",
            viewed_1h=("texts", "products viewed in the last hour, latest first"),
            viewed_24h=("texts", "products viewed in the last 24 hours, latest first"),
            viewed_7d=("texts", "products viewed in the last 7 days, latest first"),
            bought_30d=("texts", "products bought in the last 30 days"),
            cart=("texts", "products in the cart"),
            views_in_session=("number", "products viewed without a pause of 30 minutes"),
            last_view_at=("time", "latest view"),
        ),
        *_terms("clock", now=("time", "the moment of the decision")),
    )
}

Context = Mapping[str, object]


def prepared(context: Context, words: Mapping[str, Term] | None = None) -> dict[str, object]:
    """The context as rules compute with it: numbers are doubles, times are microseconds since 1970.

    What is absent, or of another type than the vocabulary says, is null. `words`: None = VOCABULARY.
    """
    get, readers = context.get, _READ if words is None else _readers(words)
    return {name: None if (value := get(name)) is None else read(value) for name, read in readers}


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type] # mypy does not follow the name


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _time(value: object) -> int | None:
    if not isinstance(value, datetime):
        return None
    since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple([item for item in value if isinstance(item, str)]) if isinstance(value, list | tuple) else None


READERS: Mapping[Type, Callable[[object], object]] = {
    "number": _number,
    "text": _text,
    "boolean": _boolean,
    "time": _time,
    "texts": _texts,
}
"""A value -> as rules compute with it; null where it is of another type."""


def _readers(words: Mapping[str, Term]) -> tuple[tuple[str, Callable[[object], object]], ...]:
    return tuple((name, READERS[term.type]) for name, term in words.items())


_READ = _readers(VOCABULARY)

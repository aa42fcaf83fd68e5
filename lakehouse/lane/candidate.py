r"""A message of the decisions topic: a rule that an event may have set off. The one place where it is written and read.

Key: a hash of its identifiers, so that one visitor's candidates stay in order. Value: a JSON object, each field of which is declared once, in
`Candidate`: its name, the Spark SQL that writes it, the function that reads it. What is null is left out; times are
milliseconds since 1970. Spark encodes (projection.py), whoever decides decodes, without a Spark session.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import orjson
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events.contracts import is_of_order
from lakehouse.events.identifier import Identifier
from lakehouse.events.reader import Reader
from lakehouse.online.recent_entries import Placed, entries_of

log = logging.getLogger("stitchlake.serving")
DECISION_ID_DIGITS = 32
EVENT_FIELDS = ("event_type", "event_name", "product_id", "category", "price", "page_type", "device")
_MOST_MS = 32_503_680_000_000  # the year 3000


class _Coding(NamedTuple):
    """`sql`: over the columns of projection.py. `read`: of the JSON value, None where it is left out; ValueError = no candidate.

    `name`: in the JSON; None = the field's own.
    """

    sql: str
    read: Callable[[Any], Any]
    name: str | None = None


def _coded(sql: str, read: Callable[[Any], Any], name: str | None = None) -> dict[str, _Coding]:
    return {"coding": _Coding(sql, read, name)}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


def _text_or_none(value: Any) -> str | None:
    """Of another type is as good as left out."""
    return value if isinstance(value, str) and value else None


def _number_or_none(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _millis(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _MOST_MS:
        raise ValueError("expected milliseconds since 1970")
    return value


def _millis_or_none(value: Any) -> int | None:
    return None if value is None else _millis(value)


def _identifiers(value: Any) -> tuple[Identifier, ...]:
    return tuple((str(type_), str(token)) for type_, token in value)


_ID = rf"substring(sha2(cast(concat_ws('\n', rule, message_id) as binary), 256), 1, {DECISION_ID_DIGITS})"
_PAIRS = "transform(identifiers, pair -> array(pair.type, pair.token))"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    r"""One candidate. Fields in the order of the JSON; None = the event did not say.

    decision_id: the first 32 hex digits of SHA-256 of `<rule>\n<message_id>`, so that a repeat is known for one.
    identifiers: type and token. event_type to device: the event, in the vocabulary of rules; price in the default currency.
    occurred_ms, kafka_ms: ms since 1970. user_agent, library, channel: of the program that sent it. rules_version: of the rule book that the stream went by.
    """

    decision_id: str = field(metadata=_coded(_ID, _text))
    rule: str = field(metadata=_coded("rule", _text))
    message_id: str = field(metadata=_coded("message_id", _text))
    identifiers: tuple[Identifier, ...] = field(metadata=_coded(_PAIRS, _identifiers))
    event_type: str | None = field(metadata=_coded("event_type", _text_or_none))
    event_name: str | None = field(metadata=_coded("event_name", _text_or_none))
    product_id: str | None = field(metadata=_coded("product_id", _text_or_none))
    category: str | None = field(metadata=_coded("category", _text_or_none))
    price: float | None = field(metadata=_coded("price", _number_or_none))
    page_type: str | None = field(metadata=_coded("page_type", _text_or_none))
    device: str | None = field(metadata=_coded("device", _text_or_none))
    session_id: str | None = field(metadata=_coded("session_id", _text_or_none))
    occurred_ms: int = field(metadata=_coded("unix_millis(occurred_at)", _millis, "occurred_at"))
    kafka_ms: int | None = field(metadata=_coded("unix_millis(kafka_timestamp)", _millis_or_none, "kafka_timestamp"))
    user_agent: str | None = field(metadata=_coded("user_agent", _text_or_none))
    library: str | None = field(metadata=_coded("library", _text_or_none))
    channel: str | None = field(metadata=_coded("channel", _text_or_none))
    rules_version: str | None = field(metadata=_coded("rules_version", _text_or_none))

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """None for what is no candidate: the topic may be written by others."""
        try:
            document = orjson.loads(value or b"")
            return cls(**{name: coding.read(document.get(coding.name or name)) for name, coding in _CODINGS})
        except (AttributeError, TypeError, ValueError):
            log.warning("decisions topic: a record is no candidate, got %d bytes; left out", len(value or b""))
            return None

    @property
    def occurred_at(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self.occurred_ms / 1000, UTC)

    def context(self) -> dict[str, Any]:
        """The event, in the vocabulary of rules."""
        return {name: getattr(self, name) for name in EVENT_FIELDS} | {"occurred_at": self.occurred_at}

    def event(self) -> dict[str, Any]:
        """The same as JSON has it, its time as `occurred_ms`: what an action carries until it is done."""
        said = {name: getattr(self, name) for name in EVENT_FIELDS}
        return {name: value for name, value in said.items() if value is not None} | {"occurred_ms": self.occurred_ms}

    def is_bot(self, reader: Reader) -> bool:
        """Whether a program sent the event on its own account."""
        is_order = is_of_order(self.event_type, self.event_name)
        return reader.is_program(self.user_agent, self.channel, self.library, is_order=is_order)

    def entries(self) -> list[Placed]:
        """What the event adds to the newest behaviour of its visitor: it counts, whoever is faster."""
        properties = {"product_id": self.product_id, "category": self.category, "price": self.price}
        message = {
            "type": self.event_type,
            "event": self.event_name,
            "properties": properties | {"session_id": self.session_id},
        }
        return entries_of(
            message, self.message_id, self.identifiers, self.occurred_ms, event=self.event_name, consented=None
        )

    def keys(self) -> Iterator[str]:
        """Under what a WebSocket listens for its decisions."""
        yield from (f"{type_}:{token}" for type_, token in self.identifiers)
        if self.session_id is not None:
            yield f"session:{self.session_id}"


_CODINGS: tuple[tuple[str, _Coding], ...] = tuple(
    (declared.name, declared.metadata["coding"]) for declared in fields(Candidate)
)


def encode(matched: DataFrame, rules_version: str) -> DataFrame:
    """Rows (key, value) for the decisions topic, one per row of `projection.matched`; what `Candidate.decode` reads."""
    document = F.struct(*(F.expr(coding.sql).alias(coding.name or name) for name, coding in _CODINGS))
    versioned = matched.withColumn("rules_version", F.lit(rules_version))
    return versioned.select(
        F.sha2(F.to_json("identifiers").cast("binary"), 256).cast("binary").alias("key"),
        F.to_json(document).cast("binary").alias("value"),
    )

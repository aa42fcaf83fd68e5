"""A message of the decisions topic: a rule that an event may have set off. Whoever reads it decides on it in full."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import orjson

from lakehouse.identity.identifier import Identifier
from lakehouse.online.recent_entries import Placed, entries_of

log = logging.getLogger("stitchlake.serving")
_MOST_MS = 32_503_680_000_000  # the year 3000
_EVENT = ("event_type", "event_name", "product_id", "category", "price", "page_type", "device")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """As lakehouse/lane/candidates.py tells it. `event`: the fields of the vocabulary of rules; null = not told."""

    decision_id: str
    rule: str
    message_id: str
    identifiers: tuple[Identifier, ...]
    occurred_ms: int
    session_id: str | None
    event: dict[str, Any]

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """None for what is no candidate: the topic may be written by others."""
        try:
            told = orjson.loads(value or b"")
            texts = (told["decision_id"], told["message_id"], told["rule"])
            if (
                all(isinstance(text, str) for text in texts)
                and isinstance(at := told["occurred_at"], int)
                and 0 <= at < _MOST_MS
            ):
                return cls(
                    decision_id=told["decision_id"],
                    rule=told["rule"],
                    message_id=told["message_id"],
                    identifiers=tuple((str(type_), str(token)) for type_, token in told["identifiers"]),
                    occurred_ms=at,
                    session_id=str(told["session_id"]) if told.get("session_id") else None,
                    event={name: told.get(name) for name in _EVENT},
                )
        except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
            pass
        log.warning("decisions topic: a record is no candidate, got %d bytes; left out", len(value or b""))
        return None

    @property
    def occurred_at(self) -> datetime:
        return datetime.fromtimestamp(self.occurred_ms / 1000, UTC)

    def context(self) -> dict[str, Any]:
        """The event, in the vocabulary of rules."""
        return {**self.event, "occurred_at": self.occurred_at}

    def entries(self) -> list[Placed]:
        """What the event adds to the newest behaviour of its visitor: it counts, whoever is faster."""
        properties = {name: self.event[name] for name in ("product_id", "category", "price")}
        message = {
            "type": self.event["event_type"],
            "event": self.event["event_name"],
            "properties": properties | {"session_id": self.session_id},
        }
        return entries_of(message, self.message_id, self.identifiers, self.occurred_ms)

    def keys(self) -> Iterator[str]:
        """Under what a WebSocket listens for its decisions."""
        yield from (f"{type_}:{token}" for type_, token in self.identifiers)
        if self.session_id is not None:
            yield f"session:{self.session_id}"

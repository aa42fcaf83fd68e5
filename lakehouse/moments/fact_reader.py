"""A message -> the fact moments see in it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.config import Config
from lakehouse.events.figures import product_text
from lakehouse.events.identifier import Identifier
from lakehouse.events.reader import Reader, at, text
from lakehouse.moments.definitions import ORDERED
from lakehouse.moments.state import Fact

MOST_IDENTIFIERS = 4  # of one event that a fact is remembered by
_EPOCH = datetime.fromtimestamp(0, UTC)


class FactReader:
    """Reads messages by one configuration."""

    def __init__(self, config: Config, reader: Reader) -> None:
        self._reader = reader
        self._rules = config.identity.rules

    def of(self, message: Any, arrived_at: datetime) -> Fact | None:
        """None for what is no track event of somebody, and for a robot's."""
        if not isinstance(message, Mapping) or text(message, "type") != "track":
            return None
        message_id, event = text(message, "message_id"), self._reader.event_name(message)
        if message_id is None or event is None or self._reader.is_bot(message):
            return None
        who = self._strongest(self._reader.identifiers(message))
        if not who:
            return None
        at_ms = (self._reader.occurred_at(message, arrived_at) - _EPOCH) // timedelta(milliseconds=1)
        return Fact(at_ms=at_ms, id=message_id, event=event, item=self._item(message, event), who=who)

    def _strongest(self, identifiers: list[Identifier]) -> tuple[Identifier, ...]:
        ordered = sorted(identifiers, key=lambda identifier: (self._rules[identifier[0]].priority, identifier))
        return tuple(ordered[:MOST_IDENTIFIERS])

    def _item(self, message: Mapping[str, Any], event: str) -> str | None:
        if event == ORDERED:
            return self._reader.id(message, "order_id")
        if (own := self._reader.id(message, "product_id")) is not None:
            return own
        lines = at(message, "properties.products")
        if isinstance(lines, list) and len(lines) == 1 and isinstance(lines[0], Mapping):
            return product_text(lines[0])
        return None

"""One message in plain Python: who sent it and when, as `events.parse` finds it in Spark. For what cannot wait for a micro-batch.

The places, the rules of identifiers and the correction of clocks are those of schema, identifiers and clock; a test holds
both ways equal. What `events.parse` refuses is not refused here: unreadable is as good as absent.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from lakehouse.config import Config
from lakehouse.events import schema
from lakehouse.events.blocked_values import Blocked, blocked
from lakehouse.events.identifiers import FIELDS, resolve

Message = Mapping[str, Any]
_UNPADDED = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T](.+))?")
_NUMBER = re.compile(r"[-+]?[0-9][0-9.]*(?:[eE][-+]?[0-9]{1,3})?")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no table could hold
_EPOCH = datetime.fromtimestamp(0, UTC)


class Reader:
    """Reads messages by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def _junk(self) -> Mapping[str, Blocked]:
        return {type_: blocked(type_, self._config.identity) for type_ in self._config.identity.rules}

    def identifiers(self, message: Message) -> list[tuple[str, str]]:
        """(type, token) of every usable identifier, distinct and sorted: what names the actor."""
        country = text_at(message, "traits.address.country")
        sent = [(type_, value) for type_, field in FIELDS if (value := text(message, field)) is not None]
        tokens = ((type_, self._token(type_, value, country)) for type_, value in [*sent, *_external_ids(message)])
        return sorted({(type_, token) for type_, token in tokens if token is not None})

    def _token(self, type_: str, value: str, country: str | None) -> str | None:
        junk = self._junk.get(type_)
        return None if junk is None else resolve(type_, value, self._config, country, junk=junk)

    def occurred_at(self, message: Message, arrived_at: datetime) -> datetime:
        """When it happened, corrected for the sender's clock, never after it arrived. Segment spec, see events.clock.

        A time before 1970, which `events.parse` refuses, becomes 1970: it falls out of every window.
        """
        received = instant(text_at(message, "receivedAt"))
        latest = arrived_at + timedelta(hours=self._config.events.max_future_hours)
        if received is None or not _EPOCH <= received <= latest:
            received = arrived_at
        sent, original = instant(text(message, "sent_at")), instant(text(message, "original_timestamp"))
        if original is None:
            return min(received, arrived_at)
        try:
            corrected = original if sent is None else received - (sent - original)
        except OverflowError:
            corrected = _EPOCH
        return max(min(corrected, received, arrived_at), _EPOCH)


def text(message: Message, field: str) -> str | None:
    """A field of schema.TEXTS as it was sent: the first of its places that holds a text, a number or a boolean.

    None where it is absent, blank or longer than allowed.
    """
    type_ = text_at(message, "type")
    for place in schema.TEXTS[field].places:
        if place.startswith("traits.") and type_ == "group":
            continue  # the group's, not the sender's
        if place == "previousId" and type_ != "alias":
            continue
        if (sent := text_at(message, place)) is not None:
            return sent if len(sent.encode()) <= schema.TEXTS[field].limit else None
    return None


def text_at(message: Message, place: str) -> str | None:
    """What stands at a place, without spaces around it; None where that is nothing, blank, no text, an object or an array."""
    value = at(message, place)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    sent = str(value).strip(" ")
    return sent if sent and not _LONE_SURROGATE.search(sent) else None


def at(message: Message, place: str) -> Any:
    value: Any = message
    for name in _names(place):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


@cache
def _names(place: str) -> tuple[str, ...]:
    return tuple(place.split("."))


def instant(sent: str | None) -> datetime | None:
    """ISO 8601 (zone, fraction, unpadded month and day allowed; without zone it is UTC) or epoch milliseconds."""
    if sent is None:
        return None
    try:
        if _NUMBER.fullmatch(sent):
            return _EPOCH + timedelta(milliseconds=int(float(sent)))
        if (parts := _UNPADDED.fullmatch(sent)) is None:
            return None
        year, month, day, clock = parts.groups()
        padded = f"{year}-{int(month):02}-{int(day):02}" + (f"T{clock}" if clock else "")
        moment = datetime.fromisoformat(padded)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _external_ids(message: Message) -> Iterator[tuple[str, str]]:
    sent = at(message, "context.externalIds")
    for entry in sent if isinstance(sent, list) else []:
        if isinstance(entry, Mapping):
            type_, value = entry.get("type"), text_at(entry, "id")
            if isinstance(type_, str) and value is not None:
                yield type_, value

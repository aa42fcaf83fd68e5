"""One message in plain Python: who sent it and when, as `events.parse` finds it in Spark. For what cannot wait for a micro-batch.

Identifiers and programs are read by the code that Spark calls, too (sender.py). The places, ids and clocks are those of schema, ids
and clock; a test holds both ways equal. What `events.parse` refuses is not refused here: unreadable is as good as absent.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from lakehouse.config import Config
from lakehouse.events import bots, clock, consent, contracts, ids, schema
from lakehouse.events.blocked_values import blocked
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import FIELDS, Resolver

Message = Mapping[str, Any]
PREFERENCES = "context.consent.categoryPreferences"
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.]([0-9]{1,9}))?)?(?: ?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_NUMBER = re.compile(clock.NUMBER.removeprefix(r"\A").removesuffix(r"\z"))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no table could hold
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
_LONGEST_DELAY = timedelta(days=clock.LONGEST_DELAY_DAYS)


def document(value: bytes | None) -> Any:
    """The JSON document of a record, every digit of its whole numbers kept; None for what is none: silver's quarantine tells of it.

    A byte order mark and halves of characters do not matter.
    """
    value = value or b""
    try:
        if not _LONG_NUMBER.search(value):
            return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass  # the slow way decides: it takes half a character, too
    try:
        return json.loads(value.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class Reader:
    """Reads messages by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._resolver = Resolver(config)
        self._agents = bots.UserAgents(config.events.bot_user_agents)
        self._names = contracts.spellings(config.events.names)
        self._junk = blocked("", config.identity)
        self._oldest = datetime.fromisoformat(config.events.oldest).replace(tzinfo=UTC)
        self._future = timedelta(hours=config.events.max_future_hours)

    def identifiers(self, message: Message) -> list[Identifier]:
        """(type, token) of every usable identifier, distinct and sorted: what names the actor."""
        is_declared = self.event_name(message) in self._config.events.own_contact_events
        sent = [(type_, value) for type_, field in FIELDS if (value := text(message, field, is_declared)) is not None]
        return self._resolver.bundle([*sent, *_external_ids(message)], text_at(message, "traits.address.country"))

    def event_name(self, message: Message) -> str | None:
        """Of a track event, in our spelling where it has one."""
        sent = text(message, "event_name")
        if sent is None or text(message, "type") != "track":
            return sent
        return self._names.get(contracts.spelling(sent), sent)

    def consent(self, message: Message) -> dict[str, bool | None]:
        """Every purpose -> whether it is allowed, None = nothing was said of it. See events.consent."""
        sent = at(message, PREFERENCES)
        return consent.consent(sent if isinstance(sent, Mapping) else {}, self._config.consent.categories)

    def id(self, message: Message, field: str) -> str | None:
        """A field of schema.TEXTS that holds an id; None where a placeholder stands there, too."""
        sent = text(message, field)
        return None if sent is None or self._junk.holds(sent) else sent

    def is_bot(self, message: Message) -> bool:
        """Whether a program sent it on its own account."""
        is_order = text(message, "type") == "track" and self.event_name(message) == contracts.ORDER_COMPLETED.name
        agent, channel = text_at(message, "context.userAgent"), text(message, "channel")
        return self.is_program(agent, channel, text_at(message, "context.library.name"), is_order=is_order)

    def is_program(self, agent: str | None, channel: str | None, library: str | None, *, is_order: bool) -> bool:
        """The same of what is known of an event already."""
        return bots.is_bot_of(None if agent is None else self._agents.kind(agent), channel, library, is_order=is_order)

    def occurred_at(self, message: Message, arrived_at: datetime) -> datetime:
        """When it happened, corrected for the sender's clock, never after it arrived. See events.clock.

        A time before events.oldest, which `events.parse` refuses, becomes that day: it falls out of every window.
        """
        received = instant(text_at(message, "receivedAt"))
        if received is None or not self._oldest <= received <= arrived_at + self._future:
            received = arrived_at
        sent, original = instant(text(message, "sent_at")), instant(text(message, "original_timestamp"))
        return max(min(self._corrected(received, sent, original), received, arrived_at), self._oldest)

    def _corrected(self, received: datetime, sent: datetime | None, original: datetime | None) -> datetime:
        if original is None:
            return received
        if sent is None:
            return original
        delay = sent - original
        if delay < timedelta():
            return received if sent >= self._oldest else original
        is_sane = self._oldest <= original <= received + self._future
        can_be = delay <= received - self._oldest
        return received - delay if can_be and (delay <= _LONGEST_DELAY or not is_sane) else original


def text(message: Message, field: str, is_declared: bool = False) -> str | None:
    """A field of schema.TEXTS as `events.parse` reads it: the first of its places that holds a text, a number or a boolean.

    None where it is absent, blank or longer than allowed. `is_declared`: of an event whose properties speak of its sender.
    """
    rule, type_ = schema.TEXTS[field], text_at(message, "type")
    for place in rule.places:
        if place.startswith("traits.") and type_ == "group":
            continue  # the group's, not the sender's
        if place == "previousId" and type_ != "alias":
            continue
        if place in schema.OF_DECLARED_EVENTS and not is_declared:
            continue
        if (sent := text_at(message, place)) is not None:
            read = ids.normalise(sent) if rule.is_id else sent
            return read if read and len(read) <= rule.limit else None
    return None


def text_at(message: Message, place: str) -> str | None:
    """What stands at a place, without spaces around it; None where that is nothing, blank, no text, an object or an array."""
    value = at(message, place)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    sent = _LONE_SURROGATE.sub(ids.BROKEN, str(value).strip(" "))
    return sent or None


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
    """ISO 8601 or a number since 1970, as events.clock reads them; to the microsecond."""
    if sent is None:
        return None
    try:
        if _NUMBER.fullmatch(sent):
            return _of_number(float(sent))
        if (parts := _ISO.fullmatch(sent)) is None:
            return None
        year, month, day, minutes, seconds, fraction, zone = parts.groups()
        padded = (
            f"{year}-{int(month):02}-{int(day):02}T{minutes or '00:00'}:{seconds or '00'}.{(fraction or '')[:6]:0<6}"
        )
        moment = datetime.fromisoformat(padded + _offset(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _of_number(number: float) -> datetime:
    microseconds = next((number * unit for below, unit in clock.UNITS if abs(number) < below), None)
    if microseconds is None:
        return _LAST
    try:
        return _EPOCH + timedelta(microseconds=microseconds // 1)
    except OverflowError:
        return _LAST


def _offset(zone: str | None) -> str:
    if zone in (None, "Z", "UTC", "GMT"):
        return "+00:00"
    digits = zone.replace(":", "")
    return f"{digits[:3]}:{digits[3:] or '00'}"


def _external_ids(message: Message) -> Iterator[tuple[str, str]]:
    sent = at(message, "context.externalIds")
    for entry in sent if isinstance(sent, list) else []:
        if isinstance(entry, Mapping):
            type_, value = entry.get("type"), text_at(entry, "id")
            if isinstance(type_, str) and value is not None:
                yield type_, value

"""One message as it comes, for what cannot wait for a micro-batch: the same reading of an event as the lake's, a question at a time.

What `events.parse` refuses is not refused here: unreadable is as good as absent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lakehouse.config import Config
from lakehouse.events import bots, consent, contracts
from lakehouse.events.blocked_values import blocked
from lakehouse.events.clock import ClockReader, microseconds
from lakehouse.events.document import at, object_at, record, text_at
from lakehouse.events.fields import FieldReader, Message, text
from lakehouse.events.identifier import Identifier
from lakehouse.events.sender import OF_SENDERS, SenderReader

__all__ = ["Message", "Reader", "at", "text", "text_at"]

_EPOCH = datetime.fromtimestamp(0, UTC)


class Reader:
    """Reads messages by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._fields = FieldReader(config, OF_SENDERS)
        self._senders = SenderReader(config)
        self._clocks = ClockReader(config.events)
        self._agents = bots.UserAgents(config.events.bot_user_agents)
        self._names = contracts.spellings(config.events.names)
        self._junk = blocked("", config.identity)
        self._consent_rules = consent.ConsentRules.of(config.consent)

    def document(self, value: bytes | None) -> Message | None:
        """The message of a record; None for what is none: silver's quarantine tells of it."""
        return record(value, self._config.events).message

    def identifiers(self, message: Message) -> list[Identifier]:
        """(type, token) of every usable identifier, distinct and sorted: what names the actor."""
        return self.identifiers_of([message])[0]

    def identifiers_of(self, messages: Sequence[Message]) -> list[list[Identifier]]:
        """The same of many messages, at a fraction of the work."""
        senders = self._senders.column(messages, self._fields.columns(messages).texts)
        return [sender.identifiers for sender in senders]

    def event_name(self, message: Message) -> str | None:
        """Of a track event, in our spelling where it has one."""
        sent = text(message, "event_name")
        if sent is None or text(message, "type") != "track":
            return sent
        return self._names.get(contracts.spelling(sent), sent)

    def consent(self, message: Message) -> consent.Heard | None:
        """What it says of consent; None = nothing. See events.consent."""
        is_taken_back = consent.takes_back(message, text(message, "type"), self.event_name(message))
        return consent.heard(object_at(message, "context"), self._consent_rules, is_taken_back=is_taken_back)

    def id(self, message: Message, field: str) -> str | None:
        """A field of schema.TEXTS that holds an id; None where a placeholder stands there, too."""
        sent = text(message, field)
        return None if sent is None or self._junk.holds(sent) else sent

    def is_bot(self, message: Message) -> bool:
        """Whether a program sent it on its own account."""
        is_order = contracts.is_of_order(text(message, "type"), self.event_name(message))
        agent, channel = text_at(message, "context.userAgent"), text(message, "channel")
        return self.is_program(agent, channel, text_at(message, "context.library.name"), is_order=is_order)

    def is_program(self, agent: str | None, channel: str | None, library: str | None, *, is_order: bool) -> bool:
        """The same of what is known of an event already."""
        return bots.is_bot(None if agent is None else self._agents.kind(agent), channel, library, is_order=is_order)

    def occurred_at(self, message: Message, arrived_at: datetime) -> datetime:
        """When it happened, corrected for the sender's clock, never after it arrived. See events.clock.

        A time before events.oldest, which `events.parse` refuses, becomes that day: it falls out of every window.
        """
        occurred = self._clocks.moment(
            text_at(message, "receivedAt"),
            text(message, "original_timestamp"),
            text(message, "sent_at"),
            arrived=microseconds(arrived_at),
        )
        return _EPOCH + timedelta(microseconds=occurred)

"""One record -> one row: the columns of silver.events, personal traits, and the verdict. The reading of an event, in plain Python.

Spark calls it for whole Arrow batches (parse.py), the same pieces answer for single messages (reader.py). No record makes it fail.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.config.limits import PURPOSES
from lakehouse.events import bots, consent, contracts, facts
from lakehouse.events import reasons as R
from lakehouse.events.clock import ClockReader, Times
from lakehouse.events.commerce import CommerceReader, Figures, Line, Order
from lakehouse.events.declared_properties import DeclaredProperty, PropertyReader
from lakehouse.events.document import is_nested, object_at, record, text_at, text_of
from lakehouse.events.enrichment.event_enrichment import Enrichment
from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent
from lakehouse.events.envelope import FACTS, NEEDED, TYPES, UNMAPPED
from lakehouse.events.fields import FieldReader, Fields, Message, Spoilt, lacking
from lakehouse.events.identifier import Identifier
from lakehouse.events.own_fields import OwnFields, written
from lakehouse.events.privacy import bare_url, holds_at
from lakehouse.events.schema import OBJECTS, TEXTS
from lakehouse.events.sender import Sender, SenderReader, source
from lakehouse.events.tokens import hidden
from lakehouse.events.traits import Traits, told_traits
from lakehouse.events.verdict import fault

_REMEMBERED = 100_000
_WITH_QUERY = frozenset(contracts.names(lambda contract: contract.keeps_query))
_UNKNOWN_TYPE = fault(R.UNKNOWN_TYPE, f"type: one of {', '.join(TYPES)} expected")
_FACT = fault(R.FACT)
_MENDED = fault(R.BROKEN_TEXT, "document: whole characters expected")
_NO_ANSWER = fault(R.WRONG_TYPE, "context.consent.categoryPreferences: object of categories expected")
_NO_TIME = fault(R.WRONG_TYPE, "receivedAt: text expected")
# Fields that tables show as they were sent: never an e-mail address or a telephone number, which begin with one of these.
_SHOWN = (
    *("message_id", "group_id", "order_id", "product_id", "session_id"),
    *("event_name", "page_name", "coupon", "campaign", "channel"),
)
_BEFORE_A_NUMBER = "tT(+0"


class Consent(NamedTuple):
    """What an event says of consent, when it was said, one word a purpose; None = nothing was said of it."""

    at: int | None
    message_id: str | None
    analytics: bool | None
    personalization: bool | None
    marketing: bool | None


class EventRow(NamedTuple):
    """Columns of silver.events but for lineage and content, times in microseconds since 1970.

    declared: values of declared properties, in their order, None = of a record that is no event.
    traits: raw personal traits of an identify event, None = none. source: which program sent it.
    fact: of a record that is a fact and no event, see facts.py, as fact_tables.py reads it.
    faults: what was left empty, as verdicts, None = nothing. verdict: None when the event is accepted, else the first rule of reasons.py
    that it breaks; the rest is then what could be read, and nobody vouches for it.
    """

    message_id: str | None = None
    actor_id: str | None = None
    type: str | None = None
    event: str | None = None
    occurred_at: int | None = None
    received_at: int | None = None
    anonymous_id: str | None = None
    user_id: str | None = None
    product_id: str | None = None
    order_id: str | None = None
    revenue: Decimal | None = None
    currency: str | None = None
    session_id: str | None = None
    lines: list[Line] | None = None
    identifiers: list[Identifier] | None = None
    consent: Consent | None = None
    group_id: str | None = None
    previous_id: str | None = None
    page_url: str | None = None
    query: str | None = None
    coupon: str | None = None
    campaign: str | None = None
    channel: str | None = None
    is_bot: bool | None = None
    is_clamped: bool | None = None
    properties: str | None = None
    context: str | None = None
    visitor_id: str | None = None
    traffic: Traffic | None = None
    agent: Agent | None = None
    location: Location | None = None
    declared: tuple[Any, ...] | None = None
    traits: Traits | None = None
    faults: list[str] | None = None
    source: str | None = None
    fact: str | None = None
    verdict: str | None = None


class _Own(NamedTuple):
    """The sender's own fields, None where no object was sent; declared properties, and what of them could not be read."""

    properties: str | None
    context: str | None
    declared: tuple[Any, ...] | None
    faults: Sequence[str]


_NOTHING_OWN = _Own(None, None, None, ())


class _Parts(NamedTuple):
    """What a message says, part by part. `fields` are hidden where they are personal once the row is made."""

    message: Message
    is_mended: bool
    fields: Fields
    spoilt: Spoilt
    times: Times
    figures: Figures
    order: Order
    sender: Sender
    answer: consent.Answer | None


class EventReader:
    """Reads records by one configuration. Thread-safe."""

    def __init__(self, config: Config, declared: Sequence[DeclaredProperty] = ()) -> None:
        self._config = config
        self._fields = FieldReader(config)
        self._senders = SenderReader(config)
        self._clocks = ClockReader(config.events)
        self._commerce = CommerceReader(config)
        self._own = OwnFields(config)
        self._enrichment = Enrichment(config)
        self._agents = bots.UserAgents(config.events.bot_user_agents)
        self._names = contracts.spellings(config.events.names)
        self._name = lru_cache(maxsize=_REMEMBERED)(lambda name: self._names.get(contracts.spelling(name), name))
        self._properties = PropertyReader(declared, self._name)
        self._is_bot = lru_cache(maxsize=_REMEMBERED)(self._is_program)
        self._categories = consent.spelled(config.consent.categories)
        self._said = lru_cache(maxsize=_REMEMBERED)(self._words)

    def read(self, value: bytes | None, kafka: int | None, arrived: int) -> EventRow:
        """`kafka`: the record's time; `arrived`: wall clock of whoever took it in; microseconds since 1970."""
        message, verdict, is_mended = record(value, self._config.events)
        if message is None:
            return EventRow(verdict=verdict)
        if message.get("type") in FACTS:
            return _fact_row(message)
        return self._row(self._parts(message, is_mended, kafka, arrived))

    def _parts(self, message: Message, is_mended: bool, kafka: int | None, arrived: int) -> _Parts:
        properties = object_at(message, "properties")
        fields, spoilt = self._fields.read(message)
        self._bring_into_form(fields, properties)
        sent = (text_at(message, "receivedAt"), fields["original_timestamp"], fields["sent_at"])
        figures = self._commerce.figures(properties)
        return _Parts(
            message=message,
            is_mended=is_mended,
            fields=fields,
            spoilt=spoilt,
            times=self._clocks.read(*sent, kafka=kafka, arrived=arrived),
            figures=figures,
            order=self._commerce.order(fields, spoilt, figures, properties),
            sender=self._senders.read(message, fields),
            answer=consent.answer(object_at(message, "context")),
        )

    def _row(self, parts: _Parts) -> EventRow:
        message, fields, times, order, sender = parts.message, parts.fields, parts.times, parts.order, parts.sender
        context, properties = object_at(message, "context"), object_at(message, "properties")
        type_, name = fields["type"], fields["event_name"]
        is_track = type_ == "track"
        self._hide(fields)
        user_id, anonymous_id, previous_id = sender.shown
        library = text_of(object_at(context, "library").get("name"))
        is_order = contracts.is_of_order(type_, name)
        verdict = _verdict(parts)
        own = self._own_fields(message, fields) if verdict is None else _NOTHING_OWN
        page_url = _page_url(context, properties)
        is_visit = page_url is not None or type_ in ("page", "screen")
        enriched = self._enrichment.read(context, properties, sender, is_visit=is_visit)
        return EventRow(
            message_id=fields["message_id"],
            actor_id=sender.actor_id,
            type=type_,
            event=fields["event_name"] if is_track else fields["page_name"] if type_ in ("page", "screen") else None,
            occurred_at=times.occurred,
            received_at=times.received,
            anonymous_id=anonymous_id,
            user_id=user_id,
            product_id=fields["product_id"] or parts.figures.only_product,
            order_id=fields["order_id"],
            revenue=order.worth,
            currency=order.currency,
            session_id=fields["session_id"],
            lines=parts.figures.told_lines if is_track else None,
            identifiers=sender.identifiers,
            consent=self._consent(parts.answer, times.occurred, fields["message_id"]),
            group_id=fields["group_id"],
            previous_id=previous_id,
            page_url=page_url,
            query=_query(properties) if name in _WITH_QUERY else None,
            coupon=fields["coupon"],
            campaign=fields["campaign"],
            channel=fields["channel"],
            is_bot=self._is_bot(text_of(context.get("userAgent")), fields["channel"], library, is_order),
            is_clamped=times.is_clamped,
            properties=own.properties,
            context=own.context,
            visitor_id=enriched.visitor_id,
            traffic=enriched.traffic,
            agent=enriched.agent,
            location=enriched.location,
            declared=own.declared,
            traits=told_traits(message) if type_ == "identify" else None,
            faults=[*_faults(parts), *own.faults] or None,
            source=source(message, fields),
            verdict=verdict,
        )

    def _bring_into_form(self, fields: Fields, properties: Mapping[str, Any]) -> None:
        """An event's name in our spelling, a currency in capitals, an order under the shop whose number it is."""
        if fields["type"] == "track" and (name := fields["event_name"]) is not None:
            fields["event_name"] = self._name(name)
        if (currency := fields["currency"]) is not None:
            fields["currency"] = currency.upper()
        scope = self._config.events.order_scope
        if scope and (order_id := fields["order_id"]) is not None:
            shop = (text_of(properties.get(scope)) or "").strip(" ")
            fields["order_id"] = f"{shop}/{order_id}" if shop else order_id

    def _hide(self, fields: Fields) -> None:
        """Personal texts become tokens."""
        for name in _SHOWN:
            if (text := fields[name]) is not None and (holds_at(text) or text[0] in _BEFORE_A_NUMBER):
                fields[name] = hidden(self._config.privacy, name, text)

    def _own_fields(self, message: Message, fields: Fields) -> _Own:
        properties, context = message.get("properties"), message.get("context")
        shown = self._own.shown(properties) if properties.__class__ is dict else None
        declared = self._properties.read(fields["event_name"], shown or {})
        return _Own(
            properties=None if shown is None else written(shown),
            context=written(self._own.shown(context)) if context.__class__ is dict else None,
            declared=declared.columns,
            faults=declared.faults,
        )

    def _consent(self, answer: consent.Answer | None, occurred: int | None, message_id: str | None) -> Consent | None:
        """None = nobody was asked."""
        if answer is None:
            return None
        # By its text a word is remembered: true, 1 and 1.0 are one key of a dictionary, and an object is none.
        said = tuple((name, None if word is None else text_of(word) or "") for name, word in answer.words.items())
        return Consent(occurred, message_id, *self._said(said, answer.names_all))

    def _words(self, said: tuple[tuple[str, str | None], ...], names_all: bool) -> tuple[bool | None, ...]:
        words = consent.consent(consent.Answer(dict(said), names_all), self._categories)
        return tuple(words[purpose] for purpose in PURPOSES)

    def _is_program(self, agent: str | None, channel: str | None, library: str | None, is_order: bool) -> bool:
        return bots.is_bot(None if agent is None else self._agents.kind(agent), channel, library, is_order=is_order)


def _fact_row(message: Message) -> EventRow:
    fact = facts.read(message)
    return EventRow(verdict=fact) if isinstance(fact, str) else EventRow(fact=facts.written(fact), verdict=_FACT)


def _page_url(context: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    sent = object_at(context, "page").get("url")
    url = text_of(properties.get("url") if sent is None else sent)
    return None if url is None else bare_url(url)


def _query(properties: Mapping[str, Any]) -> str | None:
    query = text_of(properties.get("query"))
    return None if query is None or holds_at(query) else query


def _verdict(parts: _Parts) -> str | None:
    """First fault that takes the meaning from a message; None = none."""
    type_ = parts.fields["type"]
    for needing, field in NEEDED:
        if (needing is None or needing == type_) and parts.fields[field] is None:
            return lacking(field, parts.spoilt)
    if type_ not in TYPES:
        return _unmapped(parts.message) if type_ == UNMAPPED else _UNKNOWN_TYPE
    nobody = None if parts.sender.identifiers else fault(R.NO_USABLE_IDENTIFIER)
    return parts.times.verdict or parts.order.verdict or nobody


def _unmapped(message: Message) -> str:
    """Of a record of a source that its mapping makes no event of; see lakehouse/sources/mapping.py."""
    return fault(R.UNMAPPED, f"{text_at(message, 'source')}: {text_at(message, 'detail')}")


def _faults(parts: _Parts) -> list[str]:
    """What of the message was left empty, each once."""
    message, spoilt = parts.message, parts.spoilt
    told = [fault(R.WRONG_TYPE, f"{name}: object expected") for name in OBJECTS if _is_no_object(message.get(name))]
    if parts.is_mended:
        told.append(_MENDED)
    if is_nested(received := message.get("receivedAt")) and received:
        told.append(_NO_TIME)
    if parts.answer is not None and not parts.answer.is_read:
        told.append(_NO_ANSWER)
    told += parts.times.faults
    told += [spoilt[field] for field in TEXTS if field in spoilt] if spoilt else []
    told += [*parts.order.faults, *parts.sender.faults]
    return list(dict.fromkeys(told)) if told else told


def _is_no_object(held: Any) -> bool:
    """An empty array says nothing: PHP writes it for an empty object."""
    if held is None or held.__class__ is dict:
        return False
    return not isinstance(held, list) or any(entry is not None for entry in held)

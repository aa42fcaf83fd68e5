"""Records -> rows: the columns of silver.events, personal traits, and the verdict. The reading of an event, in plain Python.

Spark calls it for whole Arrow batches (parse.py), the same pieces answer for single messages (reader.py). No record makes it fail.

Many records are read at once, column by column: what rests on a value alone is remembered and looked up, without a call of a function for each.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.events import bots, contracts, facts
from lakehouse.events import reasons as R
from lakehouse.events.clock import ClockReader
from lakehouse.events.commerce import OrderReader, with_lines
from lakehouse.events.consent import Basis, Consent, ConsentReader
from lakehouse.events.declared_properties import DeclaredProperty, PropertyReader
from lakehouse.events.document import NOTHING, objects_at, records, text_in, text_of
from lakehouse.events.enrichment.event_enrichment import Enrichment
from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent
from lakehouse.events.envelope import FACTS
from lakehouse.events.event_verdict import Batch, judged
from lakehouse.events.fields import FieldReader, Message, Texts
from lakehouse.events.figures import FigureReader, Line
from lakehouse.events.identifier import Identifier
from lakehouse.events.json_text import Objects
from lakehouse.events.own_fields import OwnFields
from lakehouse.events.privacy import bare_url, holds_at
from lakehouse.events.remembered import Remembered
from lakehouse.events.sender import SHOWN, SenderReader
from lakehouse.events.tokens import hidden
from lakehouse.events.tracking_plan import UNPLANNED, PlanReader, TrackingPlan
from lakehouse.events.traits import Traits, told_traits
from lakehouse.events.verdict import fault

_REMEMBERED = 100_000
_AT_ONCE = 300  # records whose documents are held at once: they lie in the processor's cache
_WITH_QUERY = frozenset(contracts.names(lambda contract: contract.keeps_query))
_FACT = fault(R.FACT)
# Fields that tables show as they were sent: never an e-mail address or a telephone number.
_SHOWN = ("group_id", "product_id", "session_id", "event_name", "page_name", "coupon", "campaign", "channel")
_SHOWN_ONCE = ("message_id", "order_id")  # and those that hold another text in every event
_OF_A_PAGE = ("page", "screen")
_OF_VISITORS = frozenset(("web", "browser", "client", "mobile", "app"))  # channels, on which somebody visits
_Texts = Sequence[str | None]
_BEFORE_A_NUMBER = "tT(+0"  # a telephone number begins with one of these


class EventRow(NamedTuple):
    """Columns of silver.events but for lineage and content, times in microseconds since 1970.

    consent: None = nobody was asked. properties, context: JSON in UTF-8, which Arrow takes as it is. declared: values of declared properties, in their order, None = of a record that is no event.
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
    properties: bytes | None = None
    context: bytes | None = None
    visitor_id: str | None = None
    traffic: Traffic | None = None
    agent: Agent | None = None
    location: Location | None = None
    consent_basis: Basis | None = None
    declared: tuple[Any, ...] | None = None
    traits: Traits | None = None
    faults: list[str] | None = None
    source: str | None = None
    fact: str | None = None
    verdict: str | None = None


class _Own(NamedTuple):
    """Of many events the sender's own fields, None where no object was sent, and the values of declared ones. None also where one is rejected.

    faults: of declared properties.
    """

    properties: list[bytes | None]
    contexts: list[bytes | None]
    declared: list[tuple[Any, ...] | None]
    faults: list[Sequence[str]]


class EventReader:
    """Reads records by one configuration. Thread-safe."""

    def __init__(
        self, config: Config, declared: Sequence[DeclaredProperty] = (), plan: TrackingPlan = UNPLANNED
    ) -> None:
        self._config = config
        self._fields = FieldReader(config)
        self._senders = SenderReader(config)
        self._clocks = ClockReader(config.events)
        self._figures = FigureReader(config)
        self._orders = OrderReader(config.events)
        self._own = OwnFields(config)
        self._enrichment = Enrichment(config)
        self._agents = bots.UserAgents(config.events.bot_user_agents)
        self._names = contracts.spellings(config.events.names)
        self._name = Remembered(self._spelled).__getitem__
        self._properties = PropertyReader(declared, self._name)
        self._bare_url = Remembered(bare_url)
        self._shown = {name: Remembered(partial(hidden, config.privacy, name)) for name in _SHOWN}
        self._plan = PlanReader(plan, self._name)
        self._is_bot = lru_cache(maxsize=_REMEMBERED)(self._is_program)
        self._consents = ConsentReader(config.consent)

    def read(self, value: bytes | None, kafka: int | None, arrived: int) -> EventRow:
        """`kafka`: the record's time; `arrived`: wall clock of whoever took it in; microseconds since 1970."""
        columns = self.columns([value], [kafka], [arrived])
        return EventRow(**{name: column[0] for name, column in columns.items()})

    def columns(
        self, values: Sequence[bytes | None], kafka: Sequence[int | None], arrived: Sequence[int]
    ) -> dict[str, list[Any]]:
        """The same of many records: every field of EventRow -> its values."""
        columns: dict[str, list[Any]] = {name: [] for name in EventRow._fields}
        for start in range(0, len(values), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            read = self._columns(values[some], kafka[some], arrived[some])
            for name, column in columns.items():
                column += read[name]
        return columns

    def _columns(
        self, values: Sequence[bytes | None], kafka: Sequence[int | None], arrived: Sequence[int]
    ) -> dict[str, list[Any]]:
        read = records(values, self._config.events)
        no_events = {number: EventRow(verdict=verdict) for number, verdict in read.refused.items()}
        no_events |= {number: _fact(one) for number, one in enumerate(read.messages) if one.get("type") in FACTS}
        for number in no_events:
            read.messages[number] = NOTHING
        columns = self._read(read.messages, read.mended, kafka, arrived)
        for number, row in no_events.items():
            for name, value in zip(EventRow._fields, row, strict=True):
                columns[name][number] = value
        return columns

    def _read(
        self, messages: Sequence[Message], mended: set[int], kafka: Sequence[int | None], arrived: Sequence[int]
    ) -> dict[str, list[Any]]:
        """Of messages, an empty one in the place of a record that is no event."""
        contexts, properties = (objects_at(messages, name) for name in ("context", "properties"))
        fields = self._fields.columns(messages)
        texts = fields.texts
        self._bring_into_form(texts, properties)
        received = [text_in(one, "receivedAt") for one in messages]
        told_properties, told_contexts = Objects.of(properties), Objects.of(contexts)
        of_orders = with_lines(texts, told_properties)
        figures = self._figures.figures(of_orders)
        taken_back = self._consents.taken_back(messages, texts["type"], texts["event_name"])
        batch = Batch(
            messages=messages,
            mended=mended,
            fields=fields,
            times=self._clocks.column(received, texts["original_timestamp"], texts["sent_at"], kafka, arrived),
            orders=self._orders.orders(fields, figures, of_orders.sent),
            senders=self._senders.column(messages, texts),
            heard=self._consents.column(contexts, taken_back),
        )
        verdicts, faults = judged(batch)
        planned = self._plan.column(messages, texts, batch.times.received)
        verdicts = [verdict or one.verdict for verdict, one in zip(verdicts, planned, strict=True)]
        names = texts["event_name"]  # as they are known, also where they are hidden now
        self._hide(texts)
        own = self._own_fields(told_properties, told_contexts, texts["event_name"], verdicts)
        types = texts["type"]
        identifiers, actors, shown, _ = _transposed(batch.senders)
        worths, currencies, *_ = _transposed(batch.orders)
        programs = [text_in(one, "name") for one in objects_at(contexts, "library")]
        told_by = [program or channel for program, channel in zip(programs, texts["channel"], strict=True)]
        urls = list(map(self._page_url, objects_at(contexts, "page"), properties))
        agents = [text_of(one.get("userAgent")) for one in contexts]
        enriched = self._enrichment.read(
            contexts, properties, batch.senders, agents, _visits(urls, types, texts["channel"])
        )
        return {
            **texts,
            **dict(zip(SHOWN, _transposed(shown), strict=True)),
            "actor_id": actors,
            "event": _named(types, texts["event_name"], texts["page_name"]),
            "occurred_at": batch.times.occurred,
            "received_at": batch.times.received,
            "product_id": [id_ or one.only_product for id_, one in zip(texts["product_id"], figures, strict=True)],
            "revenue": worths,
            "currency": currencies,
            "lines": [one.told_lines if type_ == "track" else None for type_, one in zip(types, figures, strict=True)],
            "identifiers": identifiers,
            "consent": [one and one.consent for one in batch.heard],
            "page_url": urls,
            "query": [
                _query(sent) if name in _WITH_QUERY else None for name, sent in zip(names, properties, strict=True)
            ],
            "is_bot": list(map(self._is_bot, agents, texts["channel"], programs, types, names)),
            "is_clamped": batch.times.is_clamped,
            "properties": own.properties,
            "context": own.contexts,
            **enriched._asdict(),
            "consent_basis": [
                one and one.basis._replace(told_by=program) for one, program in zip(batch.heard, told_by, strict=True)
            ],
            "declared": own.declared,
            "traits": [
                told_traits(one) if type_ == "identify" else None for type_, one in zip(types, messages, strict=True)
            ],
            "faults": [
                [*told, *one, *broken] if told or one or broken else None
                for told, one, broken in zip(faults, own.faults, [one.faults for one in planned], strict=True)
            ],
            "source": told_by,
            "fact": [None] * len(messages),
            "verdict": verdicts,
        }

    def _spelled(self, name: str) -> str:
        return self._names.get(contracts.spelling(name), name)

    def _bring_into_form(self, texts: Texts, properties: Sequence[Mapping[str, Any]]) -> None:
        """An event's name in our spelling, a currency in capitals, an order under the shop whose number it is."""
        texts["event_name"] = [
            name if name is None or type_ != "track" else self._name(name)
            for type_, name in zip(texts["type"], texts["event_name"], strict=True)
        ]
        texts["currency"] = [currency and currency.upper() for currency in texts["currency"]]
        if scope := self._config.events.order_scope:
            shops = [(text_of(one.get(scope)) or "").strip(" ") for one in properties]
            texts["order_id"] = [
                f"{shop}/{order_id}" if shop and order_id else order_id
                for shop, order_id in zip(shops, texts["order_id"], strict=True)
            ]

    def _hide(self, texts: Texts) -> None:
        """Personal texts become tokens."""
        for name, shown in self._shown.items():
            if any(texts[name]):
                texts[name] = [text and shown[text] for text in texts[name]]
        for name in _SHOWN_ONCE:
            column = texts[name]
            if holds_at("\n".join(filter(None, column))):
                texts[name] = [text and hidden(self._config.privacy, name, text) for text in column]
            elif any(column):
                texts[name] = [
                    hidden(self._config.privacy, name, text) if text and text[0] in _BEFORE_A_NUMBER else text
                    for text in column
                ]

    def _own_fields(
        self,
        properties: Objects,
        contexts: Objects,
        names: Sequence[str | None],
        verdicts: Sequence[str | None],
    ) -> _Own:
        """Of accepted events."""
        rejected = [number for number, verdict in enumerate(verdicts) if verdict is not None]
        shown = self._own.column(properties.without(rejected))
        values = self._properties.column(names, shown.objects, verdicts)
        return _Own(
            properties=shown.texts,
            contexts=self._own.column(contexts.without(rejected)).texts,
            declared=[None if one is None else one.columns for one in values],
            faults=[() if one is None else one.faults for one in values],
        )

    def _page_url(self, page: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
        sent = page.get("url")
        url = text_of(properties.get("url") if sent is None else sent)
        return None if url is None else self._bare_url[url]

    def _is_program(
        self, agent: str | None, channel: str | None, library: str | None, type_: str | None, event: str | None
    ) -> bool:
        kind = None if agent is None else self._agents.kind(agent)
        return bots.is_bot(kind, channel, library, is_order=contracts.is_of_order(type_, event))


def _visits(urls: _Texts, types: _Texts, channels: _Texts) -> list[bool]:
    """Whether each is of somebody who visits."""
    return [
        url is not None or type_ in _OF_A_PAGE or channel in _OF_VISITORS
        for url, type_, channel in zip(urls, types, channels, strict=True)
    ]


def _named(types: _Texts, event_names: _Texts, page_names: _Texts) -> list[str | None]:
    """What each is called."""
    return [
        name if type_ == "track" else page if type_ in _OF_A_PAGE else None
        for type_, name, page in zip(types, event_names, page_names, strict=True)
    ]


def _transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Each field of tuples as a column."""
    return list(map(list, zip(*rows, strict=True)))


def _fact(message: Message) -> EventRow:
    """The row of a message that tells a fact, and is no event."""
    fact = facts.read(message)
    return EventRow(verdict=fact) if isinstance(fact, str) else EventRow(fact=facts.written(fact), verdict=_FACT)


def _query(properties: Mapping[str, Any]) -> str | None:
    query = text_of(properties.get("query"))
    return None if query is None or holds_at(query) else query

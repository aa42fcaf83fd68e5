"""What of an event may be stored, where the purpose `consent.storage` is what storing rests on: asked at the door, before anything is written.

Whoever refused it, in the event itself, before, or by what holds where they are, leaves no event behind. What the event says of consent is kept, with the
identifiers it names at its top, or where it has none of them the others, and nothing else: without it nobody could prove the refusal, and nobody would hear of a
later yes. An event that says
nothing of consent is not kept at all. Events of orders are kept whole where `consent.storage_keeps_orders` says so: a sale is kept for the law's sake.

Not asked here: records that others write into Kafka, imports and webhooks. Whoever brings them has a basis of their own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from lakehouse.consent.defaults import Defaults
from lakehouse.errors import StoreError
from lakehouse.events.consent import PLACES
from lakehouse.events.contracts import is_of_order
from lakehouse.events.document import object_at
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import EMAIL, MAILBOX, PHONE
from lakehouse.events.reader import text, text_at
from serving.messages.collector import Record
from serving.service import Service

_STATEMENT = "identify"  # it says who, and nothing that they did
_KEPT = ("messageId", "anonymousId", "userId", "timestamp", "originalTimestamp", "sentAt", "receivedAt")
_KEPT_OF_CONTEXT = (*PLACES, "library")
_TRAITS = {
    "email": (EMAIL, MAILBOX),
    "phone": (PHONE,),
    "loyalty_id": ("loyalty_id",),
}  # by the types that they may be of


class Storable(NamedTuple):
    """records: what may be kept, in order. withheld: events of which nothing is, or only what they say of consent."""

    records: list[Record]
    withheld: int


class _Asked(NamedTuple):
    """One event. word: what it says itself; None = nothing. speaks: whether it says anything of consent."""

    record: Record
    identifiers: tuple[Identifier, ...]
    word: bool | None
    speaks: bool


async def storable(service: Service, records: Sequence[Record], now: datetime) -> Storable:
    """Of the events of one request, in order: an earlier one of them may say what holds for a later.

    Raises:
        StoreError: nobody can say what somebody refused. Nothing is to be kept; the sender is to try again.
    """
    purpose = service.config.consent.storage
    if not purpose:
        return Storable(list(records), 0)
    asked = _asked(service, records, purpose)
    silent = list(dict.fromkeys(one.identifiers for one in asked if one.word is None and one.identifiers))
    words = await asyncio.gather(*(_standing(service, identifiers, purpose, now) for identifiers in silent))
    standing = dict(zip(silent, words, strict=True))
    kept, withheld, heard = list[Record](), 0, dict[Identifier, bool]()
    for one in asked:
        is_allowed = one.word if one.word is not None else _just_heard(one.identifiers, heard)
        if is_allowed is None:
            is_allowed = standing.get(one.identifiers, True)  # nobody is named: there is nobody whose word it could be
        heard |= {} if one.word is None else dict.fromkeys(one.identifiers, one.word)
        if is_allowed or _is_kept_order(service, one.record.event):
            kept.append(one.record)
            continue
        withheld += 1
        if one.speaks:
            kept.append(_statement(service, one.record))
    return Storable(kept, withheld)


def _asked(service: Service, records: Sequence[Record], purpose: str) -> list[_Asked]:
    events = [record.event for record in records]
    heard = map(service.reader.consent, events)
    return [
        _Asked(record, tuple(identifiers), None if told is None else told.words.get(purpose), told is not None)
        for record, identifiers, told in zip(records, service.reader.identifiers_of(events), heard, strict=True)
    ]


async def _standing(service: Service, identifiers: tuple[Identifier, ...], purpose: str, now: datetime) -> bool:
    """What holds for whoever has these identifiers."""
    strongest = service.visitors.strongest(identifiers)
    others = [one for one in identifiers if one != strongest]
    visitor = await service.visitors.find(strongest, now, others=others)
    if visitor.missing:
        raise StoreError(f"consent to {purpose}: {visitor.missing[0]}. It is not known whether this may be stored")
    return visitor.consent(Defaults.of(service.config.consent))[purpose]


def _just_heard(identifiers: Sequence[Identifier], heard: Mapping[Identifier, bool]) -> bool | None:
    """What the request itself said of them before: of several one no is a no."""
    said = [heard[one] for one in identifiers if one in heard]
    return all(said) if said else None


def _is_kept_order(service: Service, event: Mapping[str, Any]) -> bool:
    is_order = is_of_order(text(event, "type"), service.reader.event_name(event))
    return is_order and service.config.consent.storage_keeps_orders


def _statement(service: Service, record: Record) -> Record:
    """What an event says of consent, and who said it."""
    said = record.event
    context = object_at(said, "context")
    event = {name: said[name] for name in _KEPT if name in said}
    event |= {"type": _STATEMENT, "context": {name: context[name] for name in _KEPT_OF_CONTEXT if name in context}}
    if not service.reader.identifiers(event):
        event["traits"] = _names(service, said)
        event["context"] |= {name: context[name] for name in ("device", "externalIds") if name in context}
    return Record(key=record.key, value=orjson.dumps(event, default=str), event=event)


def _names(service: Service, said: Mapping[str, Any]) -> dict[str, Any]:
    """What of its traits says who it is, for an event that names nobody at its top. An address may be another's, as of whoever gets a present."""
    types = {type_ for type_, _ in service.reader.identifiers(said)}
    told = {name: text(said, name) for name, by in _TRAITS.items() if not types.isdisjoint(by)}
    names: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    country = text_at(said, "traits.address.country")
    if "phone" in names and country is not None:  # to which the number is national
        names["address"] = {"country": country}
    return names

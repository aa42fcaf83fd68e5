"""Who sent an event: its identifiers, its actor, the ids that are shown, as they are known.

The same visitor's identifiers come again and again: what follows from them is remembered.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from lakehouse.config import Config
from lakehouse.events.document import object_at, objects_at, text_at, text_in, text_of
from lakehouse.events.fields import Fields, Message, Texts
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import FIELDS, Resolver
from lakehouse.events.schema import TEXTS
from lakehouse.events.verdict import fault

_REMEMBERED = 100_000
SHOWN = ("user_id", "anonymous_id", "previous_id")
_VALUES = itemgetter(*(field for _, field in FIELDS))
OF_SENDERS = (*(field for _, field in FIELDS), "channel")  # fields of schema.TEXTS that tell who sent an event


class Sender(NamedTuple):
    """identifiers: usable, distinct, sorted. shown: user_id, anonymous_id, previous_id, as they are known. faults: of identifiers that are of no use."""

    identifiers: list[Identifier]
    actor_id: str
    shown: tuple[str | None, ...]
    faults: list[str]


class SenderReader:
    """Finds the sender by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._resolver = Resolver(config)
        self._has_guests = bool(config.identity.guest_sources)
        self._known = lru_cache(maxsize=_REMEMBERED)(self._sender)

    def read(self, message: Message, fields: Fields) -> Sender:
        return self.column([message], {field: [text] for field, text in fields.items()})[0]

    def column(self, messages: Sequence[Message], texts: Texts) -> list[Sender]:
        """The same of many messages. texts: their fields."""
        countries = [text_at(one, "traits.address.country") if "traits" in one else None for one in messages]
        contexts = objects_at(messages, "context")
        external = [_external_ids(one) if "externalIds" in one else () for one in contexts]
        guests = map(self._guests, messages, texts["channel"]) if self._has_guests else repeat(None)
        return list(map(self._known, zip(*_VALUES(texts), strict=True), countries, external, guests))

    def _guests(self, message: Message, channel: str | None) -> str | None:
        """The source, where its user ids are new at every checkout; else None."""
        told_by = source(message, channel)
        return told_by if told_by is not None and self._resolver.is_of_guests(told_by) else None

    def _sender(
        self,
        values: tuple[str | None, ...],
        country: str | None,
        external: tuple[tuple[str, str], ...],
        guests: str | None,
    ) -> Sender:
        """`guests`: of `_guests`; no user id is shown as somebody's then."""
        sent = [
            (type_, field, value) for (type_, field), value in zip(FIELDS, values, strict=True) if value is not None
        ]
        bundle = self._resolver.bundle([*((type_, value) for type_, _, value in sent), *external], country, guests)
        told = [
            fault(reason, f"{TEXTS[field].places[0]}: an identifier of somebody expected")
            for type_, field, value in sent
            if (reason := self._resolver.fault(type_, value, country)) is not None
        ]
        known = {field: self._resolver.resolve(type_, value) for type_, field, value in sent if field in SHOWN}
        if guests is not None:
            known.pop("user_id", None)
        shown = tuple(None if (one := known.get(field)) is None else one[1] for field in SHOWN)
        return Sender(bundle, actor_id(bundle), shown, told)


def source(message: Message, channel: str | None) -> str | None:
    """Which program sent it: context.library.name, else the channel."""
    library = object_at(object_at(message, "context"), "library")
    return text_in(library, "name") or channel


def actor_id(identifiers: Sequence[Identifier]) -> str:
    """The actor: 32 hex digits of SHA-256 over the sorted bundle as JSON, which no two bundles share."""
    bundle = [{"type": type_, "token": token} for type_, token in identifiers]
    return hashlib.sha256(orjson.dumps(bundle)).hexdigest()[:32]


def _external_ids(context: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    sent = context["externalIds"]
    if not isinstance(sent, list):
        return ()
    pairs = ((text_of(one.get("type")), text_of(one.get("id"))) for one in sent if isinstance(one, dict))
    return tuple((type_, id_) for type_, id_ in pairs if type_ and id_)

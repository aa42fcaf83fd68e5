"""What is to be told of an event: the first rule that it breaks, and what of it was left empty."""

from collections.abc import Sequence
from itertools import compress, count
from typing import Any, NamedTuple

from lakehouse.events import reasons as R
from lakehouse.events.clock import Time, Times
from lakehouse.events.commerce import NO_ORDER, Order
from lakehouse.events.consent import Heard
from lakehouse.events.document import is_nested, text_at
from lakehouse.events.envelope import NEEDED, TYPES, UNMAPPED
from lakehouse.events.fields import FieldColumns, Fields, Message, Spoilt, lacking
from lakehouse.events.schema import OBJECTS, TEXTS
from lakehouse.events.sender import Sender
from lakehouse.events.verdict import fault

_UNKNOWN_TYPE = fault(R.UNKNOWN_TYPE, f"type: one of {', '.join(TYPES)} expected")
_MENDED = fault(R.BROKEN_TEXT, "document: whole characters expected")
_NO_ANSWER = fault(R.WRONG_TYPE, "context.consent.categoryPreferences: object of categories expected")
_NO_TIME = fault(R.WRONG_TYPE, "receivedAt: text expected")
_NEEDS = {type_: {field for needing, field in NEEDED if needing in (None, type_)} for type_ in TYPES}
_NEED_NO_MORE = frozenset(type_ for type_, needs in _NEEDS.items() if needs <= {"type", "message_id", "event_name"})
_NAMED = frozenset(type_ for type_, needs in _NEEDS.items() if "event_name" in needs)
_USUAL = [(name, frozenset((dict, type(None)))) for name in OBJECTS] + [("receivedAt", frozenset((str, type(None))))]


class Batch(NamedTuple):
    """What messages say, part by part, each a column. mended: positions where halves of characters were replaced."""

    messages: Sequence[Message]
    mended: set[int]
    fields: FieldColumns
    times: Times
    orders: Sequence[Order]
    senders: Sequence[Sender]
    heard: Sequence[Heard | None]

    def parts(self, number: int) -> "_Parts":
        """Of one message."""
        fields, spoilt = self.fields.row(number)
        return _Parts(
            fields=fields,
            spoilt=spoilt,
            message=self.messages[number],
            is_mended=number in self.mended,
            time=self.times.told.get(number),
            order=self.orders[number],
            sender=self.senders[number],
            heard=self.heard[number],
        )


class _Parts(NamedTuple):
    fields: Fields
    spoilt: Spoilt
    message: Message
    is_mended: bool
    time: Time | None
    order: Order
    sender: Sender
    heard: Heard | None


def judged(batch: Batch) -> tuple[list[str | None], list[list[str]]]:
    """Of each message the verdict, None = accepted; and the faults."""
    verdicts: list[str | None] = [None] * len(batch.messages)
    faults: list[list[str]] = [[]] * len(batch.messages)
    for number in _odd(batch):
        parts = batch.parts(number)
        verdicts[number], faults[number] = _verdict(parts), _faults(parts)
    return verdicts, faults


def _odd(batch: Batch) -> set[int]:
    """Messages of which there may be something to tell; of most there is nothing, and that is seen at once."""
    texts, orders = batch.fields.texts, batch.orders
    types, names = texts["type"], texts["event_name"]
    odd = batch.mended.union(batch.fields.spoilt, batch.times.told)
    for are_odd in (
        [one is None for one in texts["message_id"]],
        [type_ not in _NEED_NO_MORE for type_ in types],
        [name is None and type_ in _NAMED for name, type_ in zip(names, types, strict=True)],
        [one is not NO_ORDER and (one.verdict is not None or one.faults) for one in orders],
        [one.faults or not one.identifiers for one in batch.senders],
        [one is not None and not one.is_read for one in batch.heard],
    ):
        odd.update(compress(count(), are_odd))
    for name, usual in _USUAL:
        held = [message.get(name) for message in batch.messages]
        if not usual.issuperset(map(type, held)):
            odd.update(number for number, value in enumerate(held) if value.__class__ not in usual)
    return odd


def _verdict(parts: _Parts) -> str | None:
    """First fault that takes the meaning from a message; None = none."""
    type_ = parts.fields["type"]
    for needing, field in NEEDED:
        if (needing is None or needing == type_) and parts.fields[field] is None:
            return lacking(field, parts.spoilt)
    if type_ not in TYPES:
        return _unmapped(parts.message) if type_ == UNMAPPED else _UNKNOWN_TYPE
    nobody = None if parts.sender.identifiers else fault(R.NO_USABLE_IDENTIFIER)
    unread_time = parts.spoilt.get("original_timestamp")  # a day that was said is not that of arrival
    return unread_time or (parts.time and parts.time.verdict) or parts.order.verdict or nobody


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
    if parts.heard is not None and not parts.heard.is_read:
        told.append(_NO_ANSWER)
    told += parts.time.faults if parts.time is not None else ()
    told += [spoilt[field] for field in TEXTS if field in spoilt]
    told += [*parts.order.faults, *parts.sender.faults]
    return list(dict.fromkeys(told))


def _is_no_object(held: Any) -> bool:
    """An empty array says nothing: PHP writes it for an empty object."""
    if held is None or held.__class__ is dict:
        return False
    return not isinstance(held, list) or any(entry is not None for entry in held)

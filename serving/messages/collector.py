"""The collector: Segment HTTP API. Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/.

A message gets what the sender left out (messageId, type, and what its batch says for all) and its time of arrival, goes to
Kafka under its visitor's key, and is answered once the broker has acknowledged it. All else is passed on in the very text it
was sent in. What it says is not judged here: the stream does that, and what it refuses is kept in quarantine with its reason.
A message that cannot even be passed on is refused by its index, and those beside it are taken.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Any

import orjson

from lakehouse.errors import StitchlakeError
from lakehouse.events.envelope import OURS
from lakehouse.events.reader import text
from lakehouse.kafka.message import routing_key
from serving.messages.limits import is_too_deep
from serving.messages.sent_json import Body, Sent, TooMany, Unreadable, decoded, encoded

CALLS: Mapping[str, str] = {
    **{name: name for name in ("track", "identify", "page", "screen", "group", "alias")},
    **{"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"},
}
BATCHES = ("batch", "import", "b")
BATCH_BYTES = 524_288  # libraries fill a batch to 475,000 bytes and one message more, or to 512,000
EVENT_BYTES = 32_768  # of a message as it was sent
RECORD_BYTES = EVENT_BYTES + 4_096  # with what is added; `events.max_bytes` of the lake
MOST_IN_BATCH = 2_500
_TOLD_TO = "Tell POST /api/suppressions who is to be left alone, and POST /api/products what can be bought"
_FOR_ALL = ("context", "integrations", "sentAt")  # of a batch
_WRITE_KEY, _BLANKS = "writeKey", " \t\n\r"
_KEY_MEMBER = re.compile(rf'"{_WRITE_KEY}"[{_BLANKS}]*:[{_BLANKS}]*"[^"\\]*"[{_BLANKS}]*(,?)')
_OURS = (_WRITE_KEY, "receivedAt")  # never the sender's to say
_MOST_MERGED_LEVELS = 8  # a context has four; each more is read once more
# Of what a batch says for all, in each of its messages: a small request must not become a large one.
_MOST_SAID_BYTES = 2 * BATCH_BYTES


class Refused(StitchlakeError):
    """A request, or a message of it, that cannot be passed on: this text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record for the broker and the message it holds; an empty one where the text is no JSON."""

    key: bytes
    value: bytes
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What one request brought: its messages, and what holds for each of them that does not say it itself."""

    messages: Sequence[Sent]
    common: Mapping[str, Sent]
    write_key: Any = None

    def records(self, received_at: datetime) -> tuple[list[Record], dict[int, str]]:
        """The records to send, and of every message that is none: its index, and why."""
        records, refused = [], {}
        for index, message in enumerate(self.messages):
            try:
                records.append(_record(message, self.common, received_at))
            except Refused as reason:
                refused[index] = str(reason)
        return records, refused


def read(call: str, body: bytes, *, signals_gpc: bool = False) -> Request:
    """The messages of a body sent to `/v1/<call>`. `signals_gpc`: the browser that sent it says that its user wants no data passed on.

    Raises:
        Refused: it is no JSON object, or no batch, or one of too many messages.
    """
    try:
        request = _batch(decoded(body)) if call in BATCHES else _single(CALLS[call], decoded(body).whole())
    except Unreadable as unreadable:
        raise Refused(f"body: no JSON object: {unreadable}") from unreadable
    return _signalling(request) if signals_gpc else request


def _signalling(request: Request) -> Request:
    """With the signal in the context of each message, under a name of its own: a page that sends context.gpc does not undo it."""
    signal, context = _written({"globalPrivacyControl": True}), request.common.get("context")
    if context is not None and isinstance(context.value, dict):
        signal = Sent({**signal.value, **context.value}, _merged_text(signal, context), context.is_json)
    return replace(request, common={**request.common, "context": signal})


def _single(type_: str, message: Sent) -> Request:
    if not isinstance(message.value, dict):
        raise Refused(f"body: got {_kind(message)}, expected one JSON object")
    return Request([message], {"type": _written(type_)}, message.value.get("writeKey"))


def _batch(body: Body) -> Request:
    members: dict[str, Sent] = {}
    try:
        for name, sent in body.members(apart="batch", most=MOST_IN_BATCH):
            if name == "batch" and name in members:
                raise Refused("batch: named twice, expected one list of events. Send two batches")
            members[name] = sent
    except TooMany as many:
        raise Refused(f"batch: {many}. Send several batches") from many
    messages = members["batch"].elements if "batch" in members else None
    if messages is None:
        raise Refused("batch: missing, expected a list of events")
    common = {name: members[name] for name in _FOR_ALL if name in members and members[name].is_json}
    for name, held in common.items():
        _check(name, len(held.text), EVENT_BYTES)
    said = sum(len(held.text) for held in common.values())
    if said * len(messages) > _MOST_SAID_BYTES:
        raise Refused(
            f"batch: says {said} bytes for each of {len(messages)} events, expected at most {_MOST_SAID_BYTES} in all. Send several batches"
        )
    write_key = members["writeKey"].value if "writeKey" in members else None
    return Request(messages, common, write_key)


def of_request(events: Sequence[Mapping[str, Any]], identity: Mapping[str, Any], received_at: datetime) -> list[Record]:
    """The records of events that came inside a decision request, under the identifiers it asked for.

    Raises:
        Refused: one is too large.
    """
    common = {name: _written(value) for name, value in identity.items()}
    return [_record(_written(event), common, received_at) for event in events]


def _record(message: Sent, common: Mapping[str, Sent], received_at: datetime) -> Record:
    _check("event", len(encoded(message.text)), EVENT_BYTES)
    sent = message.value
    if sent is None and message.text.startswith("{"):
        return Record(key=routing_key(None, None), value=encoded(message.text), event={})
    if not isinstance(sent, dict):
        raise Refused(f"event: got {_kind(message)}, expected one JSON object")
    added = {name: held for name, held in common.items() if _is_left_out(sent.get(name))}
    if (type_ := text({"type": sent.get("type")}, "type")) in OURS:
        raise Refused(f"event: type: got {type_}, which is ours to say. {_TOLD_TO}")
    if "context" not in added and "context" in common and isinstance(sent.get("context"), dict):
        added["context"] = _merged(common["context"], message)
    if (message_id := _message_id(message)) is not None:
        added["messageId"] = message_id
    added["receivedAt"] = _written(received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    event = {**sent, **{name: held.value for name, held in added.items()}}
    event.pop("writeKey", None)
    anonymous_id, user_id = (_text(event.get(name)) for name in ("anonymousId", "userId"))
    value = encoded(_with(added, message))
    _check("event with what its batch says for all", len(value), RECORD_BYTES)
    return Record(
        key=routing_key(anonymous_id, user_id, *_others(event)),
        value=value,
        event=event if message.is_json else {},
    )


def _check(what: str, size: int, most: int) -> None:
    if size > most:
        raise Refused(f"{what}: got {size} bytes, expected at most {most}. Send less in one event")


def _with(added: Mapping[str, Sent], message: Sent) -> str:
    """The message's text, with what is added put before what was sent; of one name only what is added."""
    head = ",".join(f'"{name}":{held.text}' for name, held in added.items())
    replaced = message.value.keys() & {*added, *_OURS}
    rest = _without(replaced, message) if replaced else message.text[1:]
    return "{" + head + ("," if len(message.value) > len(replaced) else "") + rest


def _without(replaced: Collection[str], message: Sent) -> str:
    """What follows the message's first brace, without members of these names."""
    text = message.text
    is_usual = (
        replaced == {_WRITE_KEY} and text.count(f'"{_WRITE_KEY}"') == 1 and "\\u" not in text
    )  # could spell it, too
    if is_usual and (found := _KEY_MEMBER.search(text)):
        before, behind = text[1 : found.start()], text[found.end() :]
        return before + behind if found[1] else before.rstrip(_BLANKS).removesuffix(",") + behind
    return Body(text).without(replaced) + "}"


def _message_id(message: Sent) -> Sent | None:
    """The id to add: of a number its digits, of none a new one. A sender that names no id is not deduplicated, as in Segment."""
    sent = message.value.get("messageId")
    if isinstance(sent, str) and sent.strip():
        return None
    if isinstance(sent, int | float) and not isinstance(sent, bool):
        return _written(dict(_members(message))["messageId"].text)
    return _written(token_hex(16))


def _merged(outer: Sent, message: Sent) -> Sent:
    """The context of a batch and that of its message, merged at every level; what is inside wins."""
    inner = dict(_members(message))["context"]
    if not isinstance(outer.value, dict) or any(
        is_too_deep(encoded(each.text), _MOST_MERGED_LEVELS) for each in (outer, inner)
    ):
        return inner
    text = _merged_text(outer, inner)
    return Sent(json.loads(text, strict=False), text, inner.is_json)


def _merged_text(outer: Sent, inner: Sent) -> str:
    if not isinstance(outer.value, dict) or not isinstance(inner.value, dict):
        return inner.text
    members = dict(_members(outer))
    for name, held in _members(inner):
        members[name] = Sent(held.value, _merged_text(members[name], held)) if name in members else held
    return "{" + ",".join(f"{_written(name).text}:{held.text}" for name, held in members.items()) + "}"


def _members(message: Sent) -> Iterable[tuple[str, Sent]]:
    return Body(message.text).members()


def _written(value: Any) -> Sent:
    """A value of ours as JSON; whole numbers may be of any length."""
    try:
        return Sent(value, orjson.dumps(value).decode())
    except TypeError:
        return Sent(value, json.dumps(value))


def _is_left_out(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _kind(message: Sent) -> str:
    if message.value is None and message.text != "null":
        return "nothing" if not message.text else "what is no JSON"
    return "null" if message.value is None else type(message.value).__name__


def _others(document: Mapping[str, Any]) -> list[str | None]:
    """Further identifiers an event may be routed by, strongest first."""
    context = document.get("context")
    traits = document.get("traits") or (context.get("traits") if isinstance(context, dict) else None)
    return [_text(traits.get(name)) for name in ("email", "phone")] if isinstance(traits, dict) else []


def _text(value: Any) -> str | None:
    """An identifier as text; half characters in it are replaced, which no key could hold."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).encode(errors="replace").decode()

"""The fields of schema.TEXTS in messages: which of them are of use, and what is wrong with the others.

Many messages are read at once, field by field: what a text says as a field is remembered, and most of a column is only looked up.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import orjson

from lakehouse.config import Config
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import blocked
from lakehouse.events.document import NOTHING, at, is_nested, objects_at, says_nothing, text_of
from lakehouse.events.remembered import Remembered
from lakehouse.events.schema import OF_DECLARED_EVENTS, TEXTS, Text
from lakehouse.events.verdict import fault

Message = Mapping[str, Any]
Fields = dict[str, str | None]  # every field of TEXTS -> its text, None = nothing of use
Spoilt = Mapping[str, str]  # field -> the verdict on what was sent there and is of no use
Texts = dict[str, list[str | None]]  # every field of TEXTS -> its text in each of many messages
_NEVER_AGAIN = (
    "message_id",
    "original_timestamp",
    "sent_at",
    "order_id",
)  # fields that hold another text in every event
_MOST = 20_000  # texts of a field that are remembered: the same visitor, product and page come again and again
_ODD_STARTS = "{[ "
_EARLIER_ID = "previousId"
_NOT_ALWAYS = (_EARLIER_ID, *OF_DECLARED_EVENTS)  # places that count in some messages only


class _Unusable(NamedTuple):
    """What stands at a place, and is of no use."""

    verdict: str


_Said = (
    str | _Unusable | None
)  # the text that counts, empty where nothing was left of it; None: it says nothing, as if it was not sent


class FieldColumns(NamedTuple):
    """The fields of many messages. spoilt: by position, where something is of no use."""

    texts: Texts
    spoilt: dict[int, dict[str, str]]

    def row(self, number: int, fields: Iterable[str] | None = None) -> tuple[Fields, Spoilt]:
        """Of one message, or some fields of it."""
        wanted = self.texts if fields is None else fields
        return {field: self.texts[field][number] for field in wanted}, self.spoilt.get(number, {})


class FieldReader:
    """Reads the fields by one configuration, or some of them. Thread-safe."""

    def __init__(self, config: Config, fields: Iterable[str] = tuple(TEXTS)) -> None:
        self._own = frozenset(config.events.own_contact_events)
        self._is_junk = blocked("", config.identity).holds
        self._places = {field: _places(field) for field in fields}
        self._paths = _paths(self._places.values())
        self._odd = set[str]()  # fields of which a text was once of no use: a column of any other is what it says
        self._known = {
            field: Remembered(partial(self._said, field), most=_MOST) for field in TEXTS if field not in _NEVER_AGAIN
        }

    def read(self, message: Message) -> tuple[Fields, Spoilt]:
        """Of one message."""
        return self.columns([message]).row(0)

    def columns(self, messages: Sequence[Message]) -> FieldColumns:
        kinds = self._column("type", messages, "type")
        objects, names = self._objects(messages)
        if "group" in kinds and "traits" in objects:  # whose traits are not the sender's
            told = zip(kinds, objects["traits"], strict=True)
            objects["traits"] = [NOTHING if kind == "group" else traits for kind, traits in told]
        texts: Texts = {}
        spoilt: dict[int, dict[str, str]] = {}
        for field, places in self._places.items():
            said: list[_Said] | None = None
            for place, path, name in places:
                if name not in names[path]:
                    continue
                holders = objects[path]
                if place in _NOT_ALWAYS:
                    holders = self._counting(place, holders, messages, kinds)
                others = self._column(field, holders, name)
                said = (
                    others
                    if said is None
                    else [other if one is None else one for one, other in zip(said, others, strict=True)]
                )
            if said is None:
                said = [None] * len(messages)
            texts[field] = _texts(field, said, spoilt) if field in self._odd else cast(list[str | None], said)
        return FieldColumns(texts, spoilt)

    def _objects(self, messages: Sequence[Message]) -> tuple[dict[str, Sequence[Message]], dict[str, set[str]]]:
        """Path -> the object there in each message, an empty one where there is none; and path -> the names in them."""
        objects = {"": messages}
        names = {"": set[str]().union(*messages)}
        for path, holder, name in self._paths:
            names[path] = set()
            if name in names[holder]:
                objects[path] = objects_at(objects[holder], name)
                names[path].update(*objects[path])
        return objects, names

    def _counting(
        self, place: str, holders: Sequence[Message], messages: Sequence[Message], kinds: Sequence[_Said]
    ) -> list[Message]:
        """The objects in which a place counts that does not always; an empty one where it does not."""
        # An earlier id makes two ids one person in an alias call only; an address in what is told may be a friend's.
        counts = [kind == "alias" for kind in kinds] if place == _EARLIER_ID else self._are_declared(messages)
        return [one if does else NOTHING for does, one in zip(counts, holders, strict=True)]

    def _column(self, field: str, holders: Sequence[Message], name: str) -> list[_Said]:
        """What is said as a field under a name of objects."""
        if (known := self._known.get(field)) is not None:
            return [
                known[value]
                if (value := one.get(name)).__class__ is str
                else None
                if value is None
                else self._said(field, value)
                for one in holders
            ]
        values, rule = [one.get(name) for one in holders], TEXTS[field]
        if not rule.is_id and _are_plain(values, rule.limit):
            return values
        return [None if value is None else self._said(field, value) for value in values]

    def _said(self, field: str, value: Any) -> _Said:
        """What a value says as a field's; that one said nothing of use is noted."""
        said = self._told(field, value)
        if said == "" or isinstance(said, _Unusable):
            self._odd.add(field)
        return said

    def _told(self, field: str, value: Any) -> _Said:
        rule = TEXTS[field]
        if value.__class__ is str and value and value.isascii() and value[0] not in _ODD_STARTS and value[-1] != " ":
            text: str = value  # as most texts are: there is nothing to mend in it, nor to strip
            if not rule.is_id and len(text) <= rule.limit:
                return text
        elif says_nothing(value):
            return None
        else:
            text = (text_of(value) or "").strip(" ")
        if rule.is_id:
            text = ids.normalise(text)
        told = _fault(rule, value, text)
        if told is None and text and rule.is_held and self._is_junk(text):
            told = fault(R.PLACEHOLDER, f"{rule.places[0]}: an id expected")
        return text if told is None else _Unusable(told)

    def _are_declared(self, messages: Sequence[Message]) -> list[bool]:
        """Whether they are events whose properties speak of their sender."""
        if not self._own:
            return [False] * len(messages)
        names = [text_of(message.get("event")) for message in messages]
        return [name is not None and ids.normalise(name.strip(" ")) in self._own for name in names]


def _is_plain(value: str, limit: int) -> bool:
    """Whether it is as most texts are: there is nothing to mend in it, nor to strip."""
    return value != "" and value.isascii() and value[0] not in _ODD_STARTS and value[-1] != " " and len(value) <= limit


def _are_plain(values: Sequence[Any], limit: int) -> bool:
    """Whether all are texts, or None, in which there is nothing to mend, nor to strip: seen in all of them at once."""
    told = [value for value in values if value is not None]
    if not told or set(map(type, told)) != {str}:
        return not told
    joined = "".join(told)
    has_odd = "" in told or any(map(joined.__contains__, _ODD_STARTS))
    return not has_odd and joined.isascii() and max(map(len, told)) <= limit


def _places(field: str) -> list[tuple[str, str, str]]:
    """Of a field, of which the first that says anything wins: (place, path of the object, name in it)."""
    return [(place, *place.rpartition(".")[::2]) for place in TEXTS[field].places]


def _paths(places: Iterable[Sequence[tuple[str, str, str]]]) -> list[tuple[str, str, str]]:
    """Objects that hold a place, those on the way to it first: (path, path of its holder, name in it)."""
    paths = [path.split(".") for some in places for _, path, _ in some if path]
    ways = dict.fromkeys(".".join(path[:end]) for path in paths for end in range(1, len(path) + 1))
    return [(path, *path.rpartition(".")[::2]) for path in ways]


def _texts(field: str, said: list[_Said], spoilt: dict[int, dict[str, str]]) -> list[str | None]:
    """The texts of a column; what is of no use goes to `spoilt`."""
    if _Unusable in map(type, said):
        for number, one in enumerate(said):
            if isinstance(one, _Unusable):
                spoilt.setdefault(number, {})[field] = one.verdict
                said[number] = None
    texts: list[Any] = said
    return [text or None for text in texts] if "" in texts else texts


def text(message: Message, field: str) -> str | None:
    """One field that needs no configuration: not e-mail or telephone, and a placeholder is taken for an id."""
    rule = TEXTS[field]
    for place in rule.places:
        value = at(message, place)
        if value.__class__ is str and not rule.is_id and _is_plain(value, rule.limit):
            said: str = value
            return said
        if not says_nothing(value):
            sent = (text_of(value) or "").strip(" ")
            read = ids.normalise(sent) if rule.is_id else sent
            return read if read and _fault(rule, value, read) is None else None
    return None


def lacking(field: str, spoilt: Mapping[str, str]) -> str:
    """Why a field that an event needs is not there: what was sent is of no use, or nothing was, a placeholder included."""
    told = spoilt.get(field)
    if told is None or told.startswith(R.PLACEHOLDER):
        return fault(R.MISSING_FIELD, TEXTS[field].places[0])
    return told


def _fault(rule: Text, value: Any, text: str) -> str | None:
    """Why it can be no text of the field; None when it can."""
    if is_nested(value) or (text.startswith(("{", "[")) and _is_json(text)):
        return fault(R.WRONG_TYPE, f"{rule.places[0]}: text expected")
    if len(text) > rule.limit:
        return fault(R.VALUE_TOO_LONG, f"{rule.places[0]}: at most {rule.limit} characters expected")
    return None


def _is_json(text: str) -> bool:
    """An object or array as text, where a library wrote it so; a text may start with a bracket, too."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True

"""The fields of schema.TEXTS in messages: which of them are of use, and what is wrong with the others.

Many messages are read at once, field by field: what a text says as a field is remembered, and most of a column is only looked up.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from lakehouse.config import Config
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import blocked
from lakehouse.events.document import at, is_nested, says_nothing, text_of
from lakehouse.events.remembered import Remembered
from lakehouse.events.schema import OF_DECLARED_EVENTS, TEXTS, Text
from lakehouse.events.verdict import fault

Message = Mapping[str, Any]
Fields = dict[str, str | None]  # every field of TEXTS -> its text, None = nothing of use
Spoilt = Mapping[str, str]  # field -> the verdict on what was sent there and is of no use
Texts = dict[str, list[str | None]]  # every field of TEXTS -> its text in each of many messages
_NEVER_AGAIN = ("message_id", "original_timestamp", "sent_at", "order_id")  # fields that hold another text in every event
_MOST = 20_000  # texts of a field that are remembered: the same visitor, product and page come again and again
_ODD_STARTS = "{[ "
_NOTHING: Message = {}


class _Unusable(NamedTuple):
    """What stands at a place, and is of no use."""

    verdict: str


_Said = str | _Unusable | None  # the text that counts, empty where nothing was left of it; None: it says nothing, as if it was not sent


class FieldColumns(NamedTuple):
    """The fields of many messages. spoilt: by position, where something is of no use."""

    texts: Texts
    spoilt: dict[int, dict[str, str]]

    def row(self, number: int) -> tuple[Fields, Spoilt]:
        """Of one message."""
        return {field: column[number] for field, column in self.texts.items()}, self.spoilt.get(number, {})


class FieldReader:
    """Reads the fields by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._own = frozenset(config.events.own_contact_events)
        self._is_junk = blocked("", config.identity).holds
        self._known = {
            field: Remembered(partial(self._said, field), most=_MOST) for field in TEXTS if field not in _NEVER_AGAIN
        }

    def read(self, message: Message) -> tuple[Fields, Spoilt]:
        """Of one message."""
        return self.columns([message]).row(0)

    def columns(self, messages: Sequence[Message]) -> FieldColumns:
        kinds = self._column("type", [message.get("type") for message in messages])
        objects = _objects(messages)
        if "group" in kinds:  # whose traits are not the sender's
            told = zip(kinds, objects["traits"], strict=True)
            objects["traits"] = [_NOTHING if kind == "group" else traits for kind, traits in told]
        counts = {
            "previousId": [kind == "alias" for kind in kinds],  # which makes two ids one person in an alias call only
            **dict.fromkeys(OF_DECLARED_EVENTS, self._are_declared(messages)),
        }
        names = {path: set[str]().union(*held) for path, held in objects.items()}
        texts: Texts = {}
        spoilt: dict[int, dict[str, str]] = {}
        for field, places in _PLACES.items():
            columns = [
                self._column(field, _values(objects[path], name, counts.get(place)))
                for place, path, name in places
                if name in names[path]
            ]
            texts[field] = self._texts(field, _first_said(columns, len(messages)), spoilt)
        return FieldColumns(texts, spoilt)

    def _column(self, field: str, values: list[Any]) -> list[_Said]:
        known = self._known.get(field)
        if known is None:
            return [None if value is None else self._said(field, value) for value in values]
        return [
            known[value] if value.__class__ is str else None if value is None else self._said(field, value)
            for value in values
        ]

    def _texts(self, field: str, said: list[_Said], spoilt: dict[int, dict[str, str]]) -> list[str | None]:
        if _Unusable in map(type, said):
            for number, one in enumerate(said):
                if isinstance(one, _Unusable):
                    spoilt.setdefault(number, {})[field] = one.verdict
                    said[number] = None
        texts: list[Any] = said
        return [text or None for text in texts] if "" in texts else texts

    def _said(self, field: str, value: Any) -> _Said:
        """What a value says as a field's."""
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


def _places() -> dict[str, list[tuple[str, str, str]]]:
    """Field -> its places, of which the first that says anything wins: (place, path of the object, name in it)."""
    parted = {field: [(place, *place.rpartition(".")) for place in rule.places] for field, rule in TEXTS.items()}
    return {field: [(place, path, name) for place, path, _, name in places] for field, places in parted.items()}


def _paths() -> list[str]:
    """Of every object that holds a place of a field, those on the way to it first."""
    paths = [path.split(".") for places in _PLACES.values() for _, path, _ in places if path]
    return list(dict.fromkeys(".".join(path[:end]) for path in paths for end in range(1, len(path) + 1)))


_PLACES = _places()
_PATHS = [(path, *path.rpartition(".")[::2]) for path in _paths()]


def _objects(messages: Sequence[Message]) -> dict[str, Sequence[Message]]:
    """Path -> the object there in each message, an empty one where there is none."""
    objects = {"": messages}
    for path, holder, name in _PATHS:
        objects[path] = [
            value if (value := one.get(name)).__class__ is dict else _NOTHING for one in objects[holder]
        ]
    return objects


def _values(objects: Sequence[Message], name: str, counts: list[bool] | None) -> list[Any]:
    """What stands under a name. counts: in which messages it counts; None = in all."""
    values = [one.get(name) for one in objects]
    return values if counts is None else [value if one else None for value, one in zip(values, counts, strict=True)]


def _first_said(columns: list[list[_Said]], count: int) -> list[_Said]:
    """Of the places of a field what the first says that says anything."""
    if not columns:
        return [None] * count
    said = columns[0]
    for others in columns[1:]:
        said = [other if one is None else one for one, other in zip(said, others, strict=True)]
    return said


def text(message: Message, field: str) -> str | None:
    """One field that needs no configuration: not e-mail or telephone, and a placeholder is taken for an id."""
    rule = TEXTS[field]
    for place in rule.places:
        value = at(message, place)
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

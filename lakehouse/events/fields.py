"""The fields of schema.TEXTS in a message: which of them are of use, and what is wrong with the others.

A message holds some twenty names and knows nothing of our forty places: so its own names are looked up, not ours in it. Which of them
are places of ours is remembered by the names of an object, and what a text says by the text: it is the same for most events.
"""

from collections.abc import Mapping
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
Spoilt = dict[str, str]  # field -> the verdict on what was sent there and is of no use
_NEVER_AGAIN = ("message_id", "original_timestamp", "sent_at", "order_id")  # another text in every event
_KINDS = ("group", "alias")  # types of messages whose places are others
_NO_FIELDS: Fields = dict.fromkeys(TEXTS)
_MOST = 20_000  # texts of one field; the same visitor, product and page come again and again
_ODD_STARTS = "{[ "


class _Unusable(NamedTuple):
    """What stands at a place, and is of no use."""

    verdict: str


_Said = str | _Unusable | None  # the text that counts, empty where nothing was left of it; None: it says nothing, as if it was not sent


class _Place(NamedTuple):
    """A name of an object that is a place of a field.

    rank: of the places of one field the lowest that says anything wins; None where there is no other. texts: what texts that came before
    say; None where none comes twice.
    """

    name: str
    field: str
    rank: int | None
    texts: Mapping[str, _Said] | None


class _Object:
    """An object that holds places of ours: names of an object sent there -> its places, and the objects in it that hold more."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._objects: dict[str, _Object] = {}
        self.known: Mapping[tuple[str, ...], tuple[list[_Place], list[tuple[str, _Object]]]]
        self.known = Remembered(self._known, most=2_000, longest=100)

    def add(self, path: list[str], place: _Place) -> None:
        if len(path) == 1:
            self._places[path[0]] = place
        else:
            self._objects.setdefault(path[0], _Object()).add(path[1:], place)

    def _known(self, names: tuple[str, ...]) -> tuple[list[_Place], list[tuple[str, "_Object"]]]:
        places = [self._places[name] for name in names if name in self._places]
        return places, [(name, self._objects[name]) for name in names if name in self._objects]


class FieldReader:
    """Reads the fields by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._own = frozenset(config.events.own_contact_events)
        self._is_junk = blocked("", config.identity).holds
        self._texts = {
            field: None if field in _NEVER_AGAIN else Remembered(partial(self._said, field), most=_MOST)
            for field in TEXTS
        }
        self._objects = {
            (kind, is_declared): self._object(kind, is_declared=is_declared)
            for kind in ("", *_KINDS)
            for is_declared in (False, True)
        }

    def read(self, message: Message) -> tuple[Fields, Spoilt]:
        usable, spoilt = _NO_FIELDS.copy(), {}
        kind = text_of(message.get("type"))
        kind = kind.strip(" ") if kind else None
        is_declared = bool(self._own) and self._is_declared(message)
        self._collect(message, self._objects[kind if kind in _KINDS else "", is_declared], usable, spoilt, {})
        return usable, spoilt

    def _collect(
        self, node: Message, known: _Object, usable: Fields, spoilt: Spoilt, ranks: dict[str, int]
    ) -> None:
        """Of every field what its first place holds that says anything."""
        places, objects = known.known[tuple(node)]
        for name, field, rank, texts in places:
            value = node[name]
            said = self._said(field, value) if texts is None or value.__class__ is not str else texts[value]
            if said is None or (rank is not None and ranks.setdefault(field, rank) < rank):
                continue
            if rank is not None:
                ranks[field] = rank
                spoilt.pop(field, None)
            if said.__class__ is str:
                usable[field] = said or None
            else:
                usable[field], spoilt[field] = None, said.verdict
        for name, inner in objects:
            if (value := node[name]).__class__ is dict:
                self._collect(value, inner, usable, spoilt, ranks)

    def _said(self, field: str, value: Any) -> _Said:
        """What a value says as a field's."""
        rule = TEXTS[field]
        if value.__class__ is str and value and value.isascii() and value[0] not in _ODD_STARTS and value[-1] != " ":
            text = value  # as most texts are: there is nothing to mend in it, nor to strip
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

    def _object(self, kind: str, *, is_declared: bool) -> _Object:
        """The places of a message of a kind."""
        root = _Object()
        for field, rule in TEXTS.items():
            for rank, place in enumerate(rule.places):
                path = place.split(".")
                if _counts(field, place, kind, is_declared=is_declared):
                    root.add(path, _Place(path[-1], field, rank if len(rule.places) > 1 else None, self._texts[field]))
        return root

    def _is_declared(self, message: Message) -> bool:
        """Whether it is an event whose properties speak of its sender."""
        name = text_of(message.get("event"))
        return name is not None and ids.normalise(name.strip(" ")) in self._own


def _counts(field: str, place: str, kind: str, *, is_declared: bool) -> bool:
    """Whether a place of a field is asked in a message of a kind."""
    if kind == "group" and place.startswith("traits."):
        return False  # the group's traits are not the sender's
    if kind != "alias" and field == "previous_id":
        return False  # which makes two ids one person in an alias call only
    return is_declared or place not in OF_DECLARED_EVENTS


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

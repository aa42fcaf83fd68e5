"""The fields of schema.TEXTS in a message: which of them are of use, and what is wrong with the others.

A message holds some twenty names and knows nothing of our forty places: so its own names are looked up, not ours in it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from lakehouse.config import Config
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import blocked
from lakehouse.events.document import at, is_nested, says_nothing, text_of
from lakehouse.events.schema import OF_DECLARED_EVENTS, TEXTS, Text
from lakehouse.events.verdict import fault

Message = Mapping[str, Any]
Fields = dict[str, str | None]  # every field of TEXTS -> its text, None = nothing of use
Spoilt = dict[str, str]  # field -> the verdict on what was sent there and is of no use
_REMEMBERED = 100_000


class _Place(NamedTuple):
    """rank: of the places of one field the lowest that holds something wins."""

    field: str
    rank: int


def _places() -> dict[str, dict[str, _Place]]:
    """Path of an object -> its names -> the field that may be there."""
    places: dict[str, dict[str, _Place]] = {}
    for name, rule in TEXTS.items():
        for rank, place in enumerate(rule.places):
            holder, _, leaf = place.rpartition(".")
            places.setdefault(holder, {})[leaf] = _Place(name, rank)
    return places


_PLACES = _places()
_OF_DECLARED = {place.rpartition(".")[2] for place in OF_DECLARED_EVENTS}


class FieldReader:
    """Reads the fields by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._own = frozenset(config.events.own_contact_events)
        self._id = lru_cache(maxsize=_REMEMBERED)(ids.normalise)
        self._is_junk = lru_cache(maxsize=_REMEMBERED)(blocked("", config.identity).holds)

    def read(self, message: Message) -> tuple[Fields, Spoilt]:
        usable: Fields = dict.fromkeys(TEXTS)
        spoilt: Spoilt = {}
        for field, value in self._sent(message).items():
            rule, text = TEXTS[field], (text_of(value) or "").strip(" ")
            if rule.is_id:
                text = self._id(text)
            told = _fault(rule, value, text)
            if told is None and not text:
                continue  # of an id nothing was left: as good as not sent
            if told is None and rule.is_held and self._is_junk(text):
                told = fault(R.PLACEHOLDER, f"{rule.places[0]}: an id expected")
            if told is None:
                usable[field] = text
            else:
                spoilt[field] = told
        return usable, spoilt

    def _sent(self, message: Message) -> dict[str, Any]:
        """Field -> what its first place holds that says anything."""
        held: dict[str, Any] = {}
        ranks: dict[str, int] = {}
        kind, is_declared = text_of(message.get("type")), bool(self._own) and self._is_declared(message)
        kind = kind.strip(" ") if kind else None
        for path, names in _PLACES.items():
            node = message if path == "" else at(message, path)
            if node.__class__ is not dict or (path == "traits" and kind == "group"):
                continue  # the group's traits are not the sender's
            for name, value in node.items():
                if name in names and not says_nothing(value):
                    field, rank = names[name]
                    if rank < ranks.get(field, 99) and (
                        is_declared or path != "properties" or name not in _OF_DECLARED
                    ):
                        held[field], ranks[field] = value, rank
        if kind != "alias":
            held.pop("previous_id", None)  # which makes two ids one person in an alias call only
        return held

    def _is_declared(self, message: Message) -> bool:
        """Whether it is an event whose properties speak of its sender."""
        name = text_of(message.get("event"))
        return name is not None and self._id(name.strip(" ")) in self._own


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

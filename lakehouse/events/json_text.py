"""JSON values -> their text, every digit of a number in it: what document.py reads from it is the value again."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Self

import orjson

from lakehouse.events.document import NOTHING

_SAFE_DIGITS = 64  # bits of a whole number that orjson writes
_EMPTY = b"{}"


class Objects(NamedTuple):
    """What many messages hold in one place, NOTHING where that is no object; and each as JSON, by which what rests on it alone is remembered."""

    sent: Sequence[dict[str, Any]]
    texts: Sequence[bytes]

    @classmethod
    def of(cls, sent: Sequence[dict[str, Any]]) -> Self:
        """With the JSON of each."""
        return cls(sent, json_texts(sent))

    def without(self, numbers: Iterable[int]) -> Self:
        """With NOTHING in these places."""
        sent, texts = list(self.sent), list(self.texts)
        for number in numbers:
            sent[number], texts[number] = NOTHING, _EMPTY
        return type(self)(sent, texts)

    def replaced(self, others: Mapping[int, dict[str, Any]]) -> Self:
        """With others in these places."""
        sent, texts = list(self.sent), list(self.texts)
        for (number, other), text in zip(others.items(), json_texts(list(others.values())), strict=True):
            sent[number], texts[number] = other, text
        return type(self)(sent, texts)


def json_texts(values: Sequence[Any]) -> list[bytes]:
    """Of many values, each."""
    dumps = orjson.dumps
    try:
        return list(map(dumps, values))
    except orjson.JSONEncodeError:
        return list(map(json_text, values))


def json_text(value: Any) -> bytes:
    """Of one."""
    try:
        return orjson.dumps(value, default=_number)
    except orjson.JSONEncodeError:  # a whole number of more digits than a machine's
        return orjson.dumps(_with_every_digit(value), default=_number)


def _number(value: Any) -> orjson.Fragment:
    """A Decimal in its digits: orjson knows none."""
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(value.__class__.__name__)


def _with_every_digit(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _with_every_digit(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_every_digit(value) for value in node]
    is_large = node.__class__ is int and node.bit_length() >= _SAFE_DIGITS
    return orjson.Fragment(str(node)) if is_large else node

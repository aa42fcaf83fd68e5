"""JSON as it was sent: values beside the text they were written in, so that a message is passed on as its sender wrote it.

Read leniently, one message at a time: NaN, bytes that are no UTF-8 or a comma too many spoil the message they stand in, not
those beside it. Whether a text is JSON in the strict sense is for the lake to say.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from json.decoder import JSONDecoder
from typing import Any

from lakehouse.errors import StitchlakeError

_BLANK = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)
_NAME = re.compile(r'("(?:[^"\\]|\\.)*+")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_OPENING, _CLOSING = frozenset("[{"), frozenset("]}")


class Unreadable(StitchlakeError):
    """A text that is no JSON: the place, and what stands there."""


class TooMany(StitchlakeError):
    """A list that is to be taken apart has more elements than it may; the text says how many it may have."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A value and its text. `is_json`: false where the text holds NaN or Infinity; then `value` is a number for them.

    `value` is None, too, where the text could not be read at all. `elements`: those of a list that was to be taken apart.
    """

    value: Any
    text: str
    is_json: bool = True
    elements: "Sequence[Sent] | None" = None


@dataclass(slots=True)
class Body:
    """A text that is read from its start. Bytes that are no UTF-8 are kept: `encoded` gives them back."""

    text: str
    _constants: int = 0
    _decoder: JSONDecoder = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = JSONDecoder(strict=False, parse_constant=self._constant)

    def _constant(self, name: str) -> float:
        self._constants += 1
        return float(name)

    def whole(self) -> Sent:
        """The one value that the text is.

        Raises:
            Unreadable: it is none, or more than one.
        """
        sent, end = self._value(self._after_blanks(0))
        if self._after_blanks(end) != len(self.text):
            raise self._unreadable(self._after_blanks(end))
        return sent

    def members(self, apart: str | None = None, most: int = 0) -> Iterator[tuple[str, Sent]]:
        """The members of the object that the text is; of the member `apart`, if it is a list, its elements, `most` of them.

        An element that cannot be read is a text without a value.

        Raises:
            Unreadable: the text is no object.
            TooMany: there are more elements.
        """
        for name, sent, _ in self._members(apart, most):
            yield name, sent

    def without(self, names: Collection[str]) -> str:
        """The text of the object's members but those of these names, without the braces around.

        Raises:
            Unreadable: the text is no object.
        """
        return ",".join(text for name, _, text in self._members(None, 0) if name not in names)

    def _members(self, apart: str | None, most: int) -> Iterator[tuple[str, Sent, str]]:
        at = self._after_blanks(0)
        if self.text[at : at + 1] != "{":
            raise self._unreadable(at)
        at = self._after_blanks(at + 1)
        while self.text[at : at + 1] != "}":
            start = at
            name, at = self._name(at)
            is_apart = name == apart and self.text[at : at + 1] == "["
            sent, at = self._elements(at, most) if is_apart else self._value(at)
            yield name, sent, self.text[start:at]
            if (comma := _COMMA.match(self.text, at)) is not None:
                at = comma.end()
            elif self.text[(at := self._after_blanks(at)) : at + 1] != "}":
                raise self._unreadable(at)
        if self._after_blanks(at + 1) != len(self.text):
            raise self._unreadable(self._after_blanks(at + 1))

    def _name(self, at: int) -> tuple[str, int]:
        """A member's name, and where its value starts."""
        found = _NAME.match(self.text, at)
        if found is None:
            end = self._value(at)[1] if self.text[at : at + 1] == '"' else at
            raise self._unreadable(self._after_blanks(end))
        text = found[1]
        return str(self._value(at)[0].value) if "\\" in text else text[1:-1], found.end()

    def _elements(self, start: int, most: int) -> tuple[Sent, int]:
        """The list that starts here, taken apart, and where it ends."""
        elements: list[Sent] = []
        at = self._after_blanks(start + 1)
        while self.text[at : at + 1] != "]":
            if len(elements) == most:  # what follows is not even looked at: every element that is none costs time
                raise TooMany(f"got more than {most} elements, expected at most {most}")
            sent, at = self._element(at)
            elements.append(sent)
            if self.text[at] == ",":
                at = self._after_blanks(at + 1)
        return Sent(None, self.text[start : at + 1], elements=elements), at + 1

    def _element(self, at: int) -> tuple[Sent, int]:
        """The value that stands here, or the text up to the next comma or end of the list; and where that is."""
        try:
            sent, end = self._value(at)
            end = self._after_blanks(end)
        except Unreadable:
            end = -1
        if end >= 0 and self.text[end : end + 1] in (",", "]"):
            return sent, end
        end = self._end_of_element(at)
        return Sent(None, self.text[at:end].rstrip(" \t\n\r"), is_json=False), end

    def _end_of_element(self, at: int) -> int:
        is_open = 0
        for token in _TOKEN.finditer(self.text, at):
            mark = token[0]
            if mark in _OPENING:
                is_open += 1
            elif not is_open and mark in (",", "]"):
                return token.start()
            elif mark in _CLOSING:
                is_open -= 1
            if mark == '"' or is_open < 0:
                raise self._unreadable(token.start())
        raise self._unreadable(len(self.text))

    def _value(self, at: int) -> tuple[Sent, int]:
        before = self._constants
        try:
            value, end = self._decoder.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            raise self._unreadable(error.pos) from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, a thousand levels
            raise Unreadable(f"character {at}: got what cannot be read ({error}), expected JSON") from None
        return Sent(value, self.text[at:end], self._constants == before), end

    def _after_blanks(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return at if found is None else found.end()

    def _unreadable(self, at: int) -> Unreadable:
        got = ascii(self.text[at : at + 1]) if at < len(self.text) else "the end"
        return Unreadable(f"character {at}: got {got}, expected JSON")


def decoded(body: bytes) -> Body:
    """The text of a body, without a byte order mark."""
    return Body(body.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))


def encoded(text: str) -> bytes:
    """The bytes it was sent as."""
    return text.encode("utf-8", "surrogateescape")

"""Record bytes -> the JSON message in them, or the verdict why there is none.

A text that orjson writes back byte for byte is sound: no key stands in it twice, no digit of a number was lost, no half of a
character was sent. That is most of them, and the fastest test there is. Whatever is not so is read by the standard library, exactly.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, NamedTuple

import orjson

from lakehouse.config import EventsConfig
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_STRING = re.compile(r'"[^"]*+"')
_NO_BRACKET = re.compile(r"[^\[\]{}]++")
_BYTE_ORDER_MARK = "\ufeff"
_BLANKS = ("", "[]", "{}")
_LONGEST = 40  # digits; the largest float has 309
NOTHING: dict[str, Any] = {}  # stands for an object that was not sent, and is nobody's to change
_HALF = re.compile(r"[\ud800-\udfff]")  # half a character, which no table could hold


class Record(NamedTuple):
    """message: the JSON object; None where `verdict` says why there is none. is_mended: halves of characters were replaced."""

    message: dict[str, Any] | None
    verdict: str | None = None
    is_mended: bool = False


class Records(NamedTuple):
    """Many records. messages: an empty one where there is none. refused: position -> why there is none. mended: positions, see Record."""

    messages: list[dict[str, Any]]
    refused: dict[int, str]
    mended: set[int]


def record(value: bytes | None, config: EventsConfig, *, longest: int | None = None) -> Record:
    """Whole numbers are int with every digit, others float, or Decimal where a float would not say the same. `longest`: bytes; None = those of the
    configuration.
    """
    read = records((value,), config, longest=longest)
    return Record(None, read.refused[0]) if read.refused else Record(read.messages[0], is_mended=bool(read.mended))


def records(values: Sequence[bytes | None], config: EventsConfig, *, longest: int | None = None) -> Records:
    """The same of many records, in one loop: every event pays for it."""
    loads, dumps, half = orjson.loads, orjson.dumps, _half(config)
    longest = config.max_bytes if longest is None else longest
    read = Records([], {}, set())
    for number, value in enumerate(values):
        if (
            value is not None
            and len(value) <= longest
            and len(value) - len(value.replace(b"{", b"")) < half  # which is twice as fast as to count them
            and (b"[" not in value or value.count(b"[") < half)  # and to look for one is faster still
        ):
            try:
                message = loads(value)
            except orjson.JSONDecodeError:
                message = None
            if message.__class__ is dict and dumps(message) == value:
                read.messages.append(message)
                continue
        exact = _exactly(value, config, longest)
        read.messages.append(exact.message or {})
        if exact.verdict is not None:
            read.refused[number] = exact.verdict
        elif exact.is_mended:
            read.mended.add(number)
    return read


def _half(config: EventsConfig) -> int:
    """More levels than max_depth need more than half as many braces, or half as many brackets."""
    return config.max_depth // 2 + 1


def _exactly(value: bytes | None, config: EventsConfig, longest: int) -> Record:
    if value is None:
        return _refused(R.NULL_VALUE)
    if len(value) > longest:
        return _refused(R.OVERSIZED, f"at most {longest} bytes expected")
    is_shallow = max(value.count(b"{"), value.count(b"[")) < _half(config)
    try:
        text = value.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        return _refused(R.INVALID_UTF8)
    if not is_shallow and depth(text) > config.max_depth:
        return _refused(R.TOO_DEEP, f"at most {config.max_depth} levels expected")
    has_twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            has_twice.append("")
        return made

    try:
        message = json.loads(text, object_pairs_hook=once, parse_float=_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        is_more = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"
        return _refused(R.MALFORMED_JSON, "one document expected" if is_more else "")
    if has_twice:
        return _refused(R.DUPLICATE_KEYS)
    if not isinstance(message, dict):
        return _refused(R.NOT_AN_OBJECT)
    if "\\u" not in text:
        return Record(message)
    whole = mended(message)
    return Record(whole, is_mended=whole != message)


def depth(text: str) -> int:
    """Levels of nested objects and arrays: highest count of brackets open at once, outside of strings."""
    levels = most = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", _ESCAPED.sub("", text))):
        levels += 1 if bracket in "[{" else -1
        most = max(most, levels)
    return most


def mended(node: Any) -> Any:
    """Every half character replaced by U+FFFD, in keys, too."""
    if isinstance(node, str):
        return _HALF.sub(ids.BROKEN, node)
    if isinstance(node, dict):
        return {mended(key): mended(value) for key, value in node.items()}
    return [mended(value) for value in node] if isinstance(node, list) else node


def text_of(value: Any) -> str | None:
    """A JSON value as text, a whole number in its digits; None for null, and for an object or an array, which is no text."""
    kind = value.__class__
    if kind is str:
        text: str = value
        return text if text.isascii() else _HALF.sub(ids.BROKEN, text)
    if value is None:
        return None
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        text = repr(value)
        return _written_out(text) if "e" in text else text.removesuffix(".0")
    return _written_out(str(value)) if isinstance(value, Decimal) else None


def _written_out(number: str) -> str:
    """A whole number without an exponent, up to _LONGEST digits: R writes 1e+05 for the customer 100000."""
    if "E" not in number.upper():
        return number
    exact = Decimal(number)
    return f"{exact:f}" if exact.adjusted() < _LONGEST and exact == exact.to_integral_value() else number


def says_nothing(value: Any) -> bool:
    """Whether nothing was sent: null, a blank, or an empty array or object, which PHP and others write for it."""
    if value is None:
        return True
    if value.__class__ is str:
        return value.strip(" ") in _BLANKS
    return is_nested(value) and not value


def is_nested(value: Any) -> bool:
    """Whether it is an object or an array."""
    return value.__class__ is dict or value.__class__ is list


def at(message: Any, place: str) -> Any:
    """What a message holds at a place, `context.device.id` say; None where one of the objects on the way is none."""
    value = message
    for name in _names(place):
        value = value.get(name) if value.__class__ is dict else None
    return value


@cache
def _names(place: str) -> tuple[str, ...]:
    return tuple(place.split("."))


def text_at(message: Any, place: str) -> str | None:
    """What stands at a place as text, without blanks around it; None where that is nothing, blank, an object or an array."""
    return (text_of(at(message, place)) or "").strip(" ") or None


def text_in(holder: Mapping[str, Any], name: str) -> str | None:
    """The same of what an object holds under a name."""
    value = holder.get(name)
    return None if value is None else (text_of(value) or "").strip(" ") or None


def object_at(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name; an empty one where anything else is, or nothing."""
    value = message.get(name)
    return value if value.__class__ is dict else NOTHING


def objects_at(holders: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """The same of many; NOTHING where no object is."""
    return [value if (value := one.get(name)).__class__ is dict else NOTHING for one in holders]


def _number(text: str) -> float | Decimal | str:
    """A number whose exponent no decimal holds stays the text it is: no amount, and no reason to lose the event."""
    number = float(text)
    try:
        return number if repr(number) == text else Decimal(text)
    except InvalidOperation:
        return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _refused(reason: str, detail: str = "") -> Record:
    return Record(None, fault(reason, detail))

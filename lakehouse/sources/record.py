"""One record of a source: a row of a file, the rows of one order, a JSON object, a message of a topic; and what makes it the one it is."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from lakehouse.schemas.schema import MOST_LEVELS

Content = Mapping[str, Any]
LARGEST_RECORD = 16_000_000  # bytes of JSON
ROWS = "rows"  # of a record of several rows of a file: all of them


class UnreadableFileError(Exception):
    """What a file is instead, or where in it nobody can read on."""


class TooDeepError(ValueError):
    """A value nests deeper than MOST_LEVELS."""


class Record(NamedTuple):
    """row: its number in the file, from 1. content: None where `fault` says why nothing can be read there. sent: then what stands there.

    file_time: microseconds since 1970 at which its file was written, None = it is in no file. It is no part of what the record says.
    """

    row: int
    content: Content | None
    fault: str | None = None
    sent: str | None = None
    file_time: int | None = None


def fingerprint(record: Record) -> bytes:
    """16 bytes that two records have in common when they say the same, whatever file they are in, in which order of columns."""
    said: object = (
        record.sent if record.content is None else {k: v for k, v in record.content.items() if v not in (None, "")}
    )
    return hashlib.blake2b(canonical(said), digest_size=16).digest()


def canonical(said: object) -> bytes:
    """JSON in one form: sorted names, whole numbers in every digit."""
    try:
        return orjson.dumps(said, default=_text, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(said, default=_text, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
            errors="replace"
        )


def plain_row(found: Mapping[str, Any]) -> Content:
    """A row of Parquet, or a record of Avro, as JSON would have it. Raises TooDeepError."""
    return {_name(name): plain(value) for name, value in found.items()}


def plain(value: Any, levels: int = MOST_LEVELS) -> Any:
    """A value of Parquet or Avro as JSON would have it. Of a list that whoever wrote the file did not mark as one there are its elements.

    Raises TooDeepError: it nests deeper than `levels`.
    """
    if levels < 0:
        raise TooDeepError
    match value:
        case {"list": [*inner]} if len(value) == 1 and all(map(_is_element, inner)):
            return [plain(one["element"], levels - 1) for one in inner]
        case dict():
            return {_name(name): plain(inner, levels - 1) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner, levels - 1) for inner in value]
        case float() if value != value:
            return None
        case None | bool() | int() | float() | str() | Decimal():
            return value
    return _text(value)


def _name(key: Any) -> str:
    """A key of a map, which in Parquet may be anything."""
    return key if isinstance(key, str) else _text(key)


def _is_element(one: Any) -> bool:
    return isinstance(one, dict) and one.keys() == {"element"}


def _text(value: Any) -> str:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value.total_seconds())
        case bytes():
            return _text_or_digits(value)
    return str(value)


def _text_or_digits(value: bytes) -> str:
    """Bytes that are text, as text; any other in hexadecimal digits, so that two ids never become one."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()

"""Rejected records: how one is sent again, which are still open, and how one is shown without personal data."""

import re
from datetime import UTC, datetime

from pyspark.sql import DataFrame

from lakehouse.config import EventsConfig
from lakehouse.events.document import record, says_nothing
from lakehouse.events.json_text import json_text
from lakehouse.events.own_fields import OwnFields
from lakehouse.tables.events import SILVER_QUARANTINE_REPLAYS

PLACE = SILVER_QUARANTINE_REPLAYS.key
_EMPTY_ARRIVAL = re.compile(rb'"receivedAt"\s*:\s*(?:null|"\s*")')
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_MASKED = 300  # characters of a text that is no JSON object


def still_open(quarantine: DataFrame, replays: DataFrame) -> DataFrame:
    """The rows of quarantine that no replay has settled."""
    return quarantine.join(replays.select(*PLACE), on=list(PLACE), how="left_anti")


def with_arrival(value: bytes, arrived: datetime, config: EventsConfig) -> bytes:
    """The record with the time at which it came first, where it does not tell that itself.

    An event's time is corrected by its arrival: read by that of the replay, it would have happened days later. The bytes are else what they
    were, and the content is the same one: lakehouse/events/content_hash.py leaves receivedAt out. What is no JSON object stays as it is.
    """
    message = record(value, config).message
    if not message:
        return value
    time = _iso(arrived)
    told = b'"receivedAt":"' + time.encode() + b'"'
    if "receivedAt" not in message:
        end = value.rindex(b"}")
        return value[:end] + b"," + told + value[end:]
    if not says_nothing(message["receivedAt"]):
        return value
    for empty in _EMPTY_ARRIVAL.finditer(value):  # properties may have a key of that name, too
        filled = value[: empty.start()] + told + value[empty.end() :]
        if (record(filled, config).message or {}).get("receivedAt") == time:
            return filled
    return value


def without_personal_data(value: bytes | None, own: OwnFields, config: EventsConfig) -> str:
    """A record for a person to look at: tokens stand where silver.events has them; of what is no JSON object only the shape is left.

    The shape has an x for each letter, a 9 for each digit, and a point for what no screen shows.
    """
    if value is None:
        return "no value"
    message = record(value, config).message
    if message is not None:
        return json_text(own.shown(message)).decode()
    text = value[: 4 * _MASKED].decode("utf-8", "replace")[:_MASKED]
    shown = "".join(mark if mark.isprintable() else "." for mark in text)
    return _DIGIT.sub("9", _LETTER.sub("x", shown))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""A record as Kafka is to get it, and how it stands in a file: in a frame that says whether it is whole.

A frame is length and CRC-32 of what follows, then topic, length of the key and headers as a line of JSON, the key, the value.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import orjson

_FRAME = struct.Struct(">II")

Header = tuple[str, str | bytes | None]


class Record(NamedTuple):
    """One record as Kafka is to get it."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[Header, ...] = ()


def frames(records: Iterable[Record]) -> bytes:
    """Records as they stand in a file, one after the other."""
    return b"".join(map(_frame, records))


def whole_records(data: bytes) -> tuple[list[Record], int]:
    """The whole records that the data begins with, and where they end."""
    records: list[Record] = []
    at = 0
    while at + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, at)
        body = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(body) < length or zlib.crc32(body) != check or not body:
            break
        records.append(_record(body))
        at += _FRAME.size + length
    return records, at


def _frame(record: Record) -> bytes:
    topic, key, value, headers = record
    told = [[name, _latin(sent)] for name, sent in headers]
    body = b"".join((orjson.dumps([topic, None if key is None else len(key), told]), b"\n", key or b"", value))
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _latin(sent: str | bytes | None) -> str | None:
    sent = sent.encode() if isinstance(sent, str) else sent
    return None if sent is None else sent.decode("latin-1")


def _record(body: bytes) -> Record:
    told, _, rest = body.partition(b"\n")
    topic, key_bytes, headers = orjson.loads(told)
    key = None if key_bytes is None else rest[:key_bytes]
    sent = tuple((name, None if value is None else value.encode("latin-1")) for name, value in headers)
    return Record(topic, key, rest[key_bytes or 0 :], sent)

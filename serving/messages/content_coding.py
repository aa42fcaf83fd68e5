"""Bodies that come compressed. Source: RFC 9110, section 8.4; gzip is RFC 1952, deflate RFC 1950 or, from some senders, 1951.

A body says itself what it is: gzip, deflate and JSON all start otherwise. So a proxy that unpacks a body and leaves its header, or
drops the header and leaves it packed, loses no call, and neither does a sender that names the one and packs by the other.
"""

import re
import zlib
from collections.abc import Mapping, Sequence

from lakehouse.errors import StitchlakeError

_ZLIB, _RAW, _GZIP = zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16
_FORMATS: Mapping[str, Sequence[int]] = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW), "identity": ()}
_MOST_CODINGS = 4  # a body of a few bytes may be one that unpacks to itself
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[{\[]")
_GZIP_MARK, _ZLIB_MARKS = b"\x1f\x8b", (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")


class UnknownCoding(StitchlakeError):
    """A body in a coding that nobody here reads."""


class Damaged(StitchlakeError):
    """A body that is not in the coding it names, or not all of it."""


class Inflated(StitchlakeError):
    """A body that becomes larger than it may be."""


def codings_of(header: str) -> list[str]:
    """The codings a Content-Encoding header names, in the order they were applied; none that changes nothing.

    Raises:
        UnknownCoding: one of them is not known, or there are too many.
    """
    named = [name for part in header.split(",") if (name := part.strip().lower())]
    unknown = [name for name in named if name not in _FORMATS]
    if unknown:
        known = ", ".join(sorted(_FORMATS))
        raise UnknownCoding(f"content-encoding: got {unknown[0][:40]!a}, expected one of {known}")
    if len(named) > _MOST_CODINGS:
        raise UnknownCoding(f"content-encoding: got {len(named)} codings, expected at most {_MOST_CODINGS}")
    return [name for name in named if _FORMATS[name]]


def coding_of(body: bytes) -> list[str]:
    """The coding a body is in by its own first bytes; none where it is in none."""
    if body.startswith(_GZIP_MARK):
        return ["gzip"]
    return ["deflate"] if body.startswith(_ZLIB_MARKS) else []


def inflated(body: bytes, codings: Sequence[str], most_bytes: int) -> bytes:
    """What was compressed; JSON that was not is left as it is. It never grows beyond `most_bytes` and one, whatever the body is.

    Raises:
        Damaged: it is not, or not wholly, in these codings.
        Inflated: it is larger than `most_bytes`.
    """
    for coding in reversed(codings):
        (own,) = coding_of(body) or [coding]
        body = _inflated(body, own, most_bytes)
    return body


def _inflated(body: bytes, coding: str, most_bytes: int) -> bytes:
    for number, format_ in enumerate(_FORMATS[coding], start=1):
        try:
            return _members(body, coding, format_, most_bytes)
        except zlib.error as error:
            if number == len(_FORMATS[coding]):
                if _JSON.match(body):
                    return body
                raise Damaged(f"body: no {coding} ({error}), expected what content-encoding says") from error
    return body


def _members(body: bytes, coding: str, format_: int, most_bytes: int) -> bytes:
    """One after the other: what was compressed in pieces may be sent in pieces."""
    whole = bytearray()
    while True:
        member = zlib.decompressobj(format_)
        whole += member.decompress(body, most_bytes + 1 - len(whole))
        if len(whole) > most_bytes:
            raise Inflated(f"body: more than {most_bytes} bytes once decompressed, expected at most that many")
        if not member.eof:
            raise Damaged(f"body: {coding} ends too early, expected all of it. Send the request again")
        body = member.unused_data.lstrip(b"\0")  # padding
        if not body:
            return bytes(whole)

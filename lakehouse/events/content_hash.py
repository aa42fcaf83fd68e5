"""What tells a repeat of a message from another message under its id."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pyspark.sql import Column

from lakehouse.spark.arrow_function import arrow_function

_SEED = 42  # as Spark's own xxhash64 has it, which made the hashes that are stored
_BLANKS = " \t\n\v\f\r"
_SCALAR = r'(?:"[^"\\]{0,100}+"|[^,{}\[\]\s"]{1,100}+)'
_NAMES = r'"(?:sentAt|receivedAt|sent_at|received_at|request_?[iI][pP]|ip|retryCount|writeKey)"'
# With the comma behind it, where one is. A search for what begins with a quote is three times as fast as one that may begin with a comma.
_TRANSPORT = re.compile(rf"({_NAMES}\s*+:\s*+{_SCALAR})(\s*+,)?+", re.ASCII)
# How most libraries write theirs, with the comma before each.
_USUAL = re.compile(rb',"sentAt":"[ !#-\[\]-~]{0,100}+"(?:,"receivedAt":"[ !#-\[\]-~]{0,100}+")?+')
_BINARY = "\0"  # begins what is no text


def content_hash(value: bytes | None) -> int:
    """Hash of the value without what only its transport says: a message that is sent again is the same message.

    Among it is the address it came from, and how often analytics.js tried before. Nested fields of these names are left out, too; no
    sender would tell two messages apart by them. What begins with a byte 0 is no text but the record of a registered schema: all of it counts, for
    as text bytes that differ would read alike. 64 bits, signed.
    """
    if value is None:
        return _SEED
    is_text = not value.startswith(_BINARY.encode())
    told = _without_transport(value.decode(errors="replace")).encode() if is_text else value
    return _signed(xxhash.xxh64_intdigest(told, _SEED))


def content_hash_of(value: Column) -> Column:
    """The same as a column."""
    return arrow_function(lambda values: content_hashes(values.to_pylist()), "bigint")(value)


def content_hashes(values: Sequence[bytes | None]) -> pa.Array:
    """The same of many values, as Arrow has them. Of most, no name of the transport is left once the usual fields are out."""
    left = [value and _USUAL.sub(b"", value, 1) for value in values]
    told = pa.array(left, pa.binary())
    has_more = pc.or_(pc.match_substring_regex(told, _NAMES), pc.starts_with(told, _BINARY)).to_pylist()
    digest = xxhash.xxh64_intdigest
    hashes = [
        _signed(digest(bare, _SEED))
        if bare is not None and not more and (bare.isascii() or _is_utf8(bare))
        else content_hash(value)
        for value, bare, more in zip(values, left, has_more, strict=True)
    ]
    return pa.array(hashes, pa.int64())


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _signed(digest: int) -> int:
    return digest - 2**64 if digest >> 63 else digest


def _without_transport(text: str) -> str:
    """Each field goes with the comma before it, or else with the one behind it; where there is none, it stays."""
    kept, end, at = [], 0, 0
    while (told := _TRANSPORT.search(text, at)) is not None:
        begin, field_end = told.span(1)
        before = text[end:begin].rstrip(_BLANKS)
        if before.endswith(","):
            kept.append(before[:-1])
            end = at = field_end
        elif told[2] is not None:
            kept.append(text[end:begin])
            end = at = told.end()
        else:
            at = begin + 1
    return "".join((*kept, text[end:]))

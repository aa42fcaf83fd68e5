"""A body as text in UTF-8, however it was sent: compressed without saying so, in UTF-16, in the character set its header names.

JSON is UTF-8 between systems (RFC 8259), and whatever is UTF-8 is read as that, whatever the header says. What cannot be is read as what it
is: UTF-16 and UTF-32 by their marks or zero bytes (RFC 4627), then the declared set. Else it is left as it is.
"""

import json
import re

from serving.messages.content_coding import coding_of, inflated

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_TABLES = re.compile(  # sets that are one table: nothing that a hostile name could make slow
    r"iso-?8859-\d{1,2}|latin-?\d|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr",
    re.IGNORECASE,
)


def plain(body: bytes, content_type: str, most_bytes: int) -> bytes:
    """The body in UTF-8. Characters that are none in its own set become U+FFFD; bytes in a set that nobody named are kept.

    Raises:
        Damaged: it begins as what is compressed, and is not.
        Inflated: it is larger than `most_bytes` once decompressed.
    """
    if (codings := coding_of(body)) != []:
        body = inflated(body, codings, most_bytes)
    charset = _charset_of(body, content_type)
    return body if charset is None else body.decode(charset, "replace").encode()


def _charset_of(body: bytes, content_type: str) -> str | None:
    """The set it is to be read in; None where it stays as it is."""
    detected = json.detect_encoding(body)
    if not detected.startswith("utf-8"):
        return detected
    declared = _CHARSET.search(content_type)
    if declared is None or not _TABLES.fullmatch(declared[1]) or _is_utf8(body):
        return None
    try:
        "".encode(declared[1])
    except LookupError:  # iso-8859-99
        return None
    return declared[1]


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True

"""A file of JSON -> its values, in any arrangement: a line each, an array, written over many lines, one after the other."""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import IO

from lakehouse.sources.record import LARGEST_RECORD, UnreadableFileError

_PIECE = 1 << 20
_BLANKS = b" \t\r\n\x1e"  # the last one stands before each value of a JSON text sequence, RFC 7464
_BETWEEN = re.compile(r"[ \t\r\n\x1e,\[\]]*")
_BRACKET_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_AFTER_A_WORD = re.compile(r"[\s,{}\[\]]")


def values(file: IO[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """One after the other, whose text is any. `encoding`: None = UTF-8.

    Raises:
        UnreadableFileError: one that cannot be read has no end, or the array has none.
    """
    if encoding is not None:
        yield from _arranged(b"", file, encoding)
        return
    first = file.readline().removeprefix(b"\xef\xbb\xbf")
    while first.isspace():
        first = file.readline()
    if not first.lstrip().startswith(b"[") and _is_json(first):
        yield first.strip(_BLANKS)
        yield from (value for line in file if (value := line.strip(_BLANKS)))
        return
    yield from _arranged(first, file)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except RecursionError:
        return True
    except ValueError:
        return not line.rstrip().endswith((b"{", b"[", b","))  # a broken line of many, and no beginning of one
    return True


def _arranged(first: bytes, file: IO[bytes], encoding: str = "utf-8") -> Iterator[bytes]:
    """The values of an array, or values written over several lines. One that cannot be read and ends where its brackets do is one of them.

    Raises:
        UnreadableFileError: one that cannot be read has no end, or the array has none.
    """
    decoder, characters = json.JSONDecoder(), getincrementaldecoder(encoding)("replace")
    text, at, is_last = characters.decode(first), 0, False
    open_lists = 0
    while True:
        between = _BETWEEN.match(text, at)
        assert between is not None  # it may be nothing
        open_lists, at = open_lists + between[0].count("[") - between[0].count("]"), between.end()
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            broken = _end_of_broken(text, at)
            if broken is None and not is_last and len(text) - at <= LARGEST_RECORD:
                piece = file.read(_PIECE)
                is_last = not piece
                text, at = text[at:] + characters.decode(piece, is_last), 0
                continue
            if at == len(text) and open_lists > 0:
                raise UnreadableFileError("a list without an end: it broke off") from None
            if at == len(text):
                return
            if broken is None:
                raise UnreadableFileError(f"no JSON from byte {file.tell() - len(text[at:].encode()):,} on") from None
            end = broken
        yield text[at:end].encode()
        at = end


def _end_of_broken(text: str, at: int) -> int | None:
    """Where a value that is none ends: where all its brackets are closed, and a word at what stands between values; None = not in this text."""
    if text[at : at + 1] not in ("{", "["):
        stop = _AFTER_A_WORD.search(text, at + 1)
        return None if stop is None or text[at] == '"' else stop.start()
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(text, at):
        depth += (found[0] in "{[") - (found[0] in "}]")
        if depth == 0:
            return found.end()
    return None

"""How the online store's keys, documents and entries lie in LMDB: see lakehouse/online/lmdb_store.py."""

import struct
from hashlib import blake2b

from lakehouse.errors import StoreError
from lakehouse.online.store import MOST, Document, Entry

DOCUMENTS, TIMELINES, IDS, ENDED = range(4)  # places of the maps, as they are named in lmdb_store
PLAIN = 400  # bytes; LMDB's keys end at 511. A longer one goes by its beginning and a hash
HEAD = struct.Struct(">QBH")  # version, flags, length of the key where it is too long
GONE, ENDS = 1, 2  # flags: the value is gone; the head is followed by when the document ends
NUMBER = struct.Struct(">Q")
LENGTH = struct.Struct(">H")
OF_DOCUMENT, OF_TIMELINE = b"d", b"t"  # what it is that ends
OLDEST = 2**63  # added to a time, so that those before 1970 sort first


def text_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def short(name: bytes) -> bytes:
    """What LMDB can hold as (part of) a key: itself, or its beginning and a hash of the whole."""
    return name if len(name) <= PLAIN else name[:PLAIN] + blake2b(name, digest_size=16).digest()


def document_key(key: str) -> bytes:
    if not key:
        raise StoreError("online store: got an empty key, expected text. Mend the caller")
    return short(text_bytes(key))


def encoded(document: Document) -> bytes:
    name = text_bytes(document.key)
    is_long = len(name) > PLAIN
    if not 0 <= document.version <= MOST or len(name) > 0xFFFF:
        raise StoreError(
            f"online store: got version {document.version} and a key of {len(name)} bytes, expected 0 to {MOST} and at most "
            "65535. Mend the caller"
        )
    flags = (GONE if document.value is None else 0) | (0 if document.ends_ms is None else ENDS)
    head = HEAD.pack(document.version, flags, len(name) if is_long else 0)
    ends = b"" if document.ends_ms is None else time_bytes(document.ends_ms)
    return head + ends + (name if is_long else b"") + (document.value or b"")


def version_of(stored: bytes) -> int:
    return int(HEAD.unpack_from(stored)[0])


def end_of(stored: bytes) -> bytes | None:
    """As `time_bytes`; None = the document does not end."""
    is_ending = HEAD.unpack_from(stored)[1] & ENDS
    return stored[HEAD.size : HEAD.size + NUMBER.size] if is_ending else None


def value_of(stored: bytes | None) -> bytes | None:
    if stored is None:
        return None
    _, flags, length = HEAD.unpack_from(stored)
    return None if flags & GONE else stored[_start(flags) + length :]


def full_key(name: bytes, stored: bytes) -> bytes:
    _, flags, length = HEAD.unpack_from(stored)
    start = _start(flags)
    return stored[start : start + length] if length else name


def _start(flags: int) -> int:
    return HEAD.size + (NUMBER.size if flags & ENDS else 0)


def timeline_name(key: str) -> bytes:
    return blake2b(text_bytes(key), digest_size=16).digest()


def time_bytes(at_ms: int) -> bytes:
    if abs(at_ms) > MOST:
        raise StoreError(f"online store: got the time {at_ms} ms, expected at most {MOST}. Mend the caller")
    return NUMBER.pack(at_ms + OLDEST)


def packed(entry: Entry) -> bytes:
    name = text_bytes(entry.id)
    if len(name) > 0xFFFF:
        raise StoreError(
            f"online store: got an entry's id of {len(name)} bytes, expected at most 65535. Mend the caller"
        )
    return LENGTH.pack(len(name)) + name + entry.value


def entry_of(name: bytes, data: bytes) -> Entry:
    at = NUMBER.unpack_from(name, 16)[0] - OLDEST
    end = LENGTH.size + LENGTH.unpack_from(data)[0]
    return Entry(at, data[LENGTH.size : end].decode("utf-8", "surrogatepass"), data[end:])

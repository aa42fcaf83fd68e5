"""The online store in LMDB: a folder that all processes of one machine read and write.

Five maps:

    documents   key -> version, whether it is gone, the key when it is too long for LMDB, value
    timelines   timeline, time, id -> id, value; so a timeline lies in its order
    ids         timeline, id -> time; timeline alone -> how many entries it has
    claims      key -> when it expires
    expiries    when it expires, key -> nothing: so that old claims can be cleared without a search

A timeline is named by 16 bytes of its key's hash.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import lmdb

from lakehouse.errors import StoreError
from lakehouse.online.lmdb_environment import Databases, Environment, acquire, release
from lakehouse.online.lmdb_layout import (
    NUMBER,
    PLAIN,
    document_key,
    encoded,
    entry_of,
    full_key,
    packed,
    short,
    text_bytes,
    time_bytes,
    timeline_name,
    value_of,
    version_of,
)
from lakehouse.online.store import Document, Entry

_NAMES = (b"documents", b"timelines", b"ids", b"claims", b"expiries")
_CHUNK = 500  # documents or timelines a transaction: others wait that long to write
_PAGE = 1000  # documents read a transaction by `scan`
_CLEARED = 8  # expired claims cleared by each new one
_Row = tuple[bytes, bytes, int]  # key, data, version
_EntryRow = tuple[bytes, bytes, bytes]  # time, id, data
_Added = tuple[bytes, list[_EntryRow]]  # timeline and what is added to it
_GRACE_MS = 60_000  # how long after its end a claim is kept, for those whose clock is behind


class LmdbStore:
    """See lakehouse/online/store.py for the contract."""

    is_embedded = True

    def __init__(self, folder: Path, *, survives: bool = False) -> None:
        self._environment = acquire(folder, _NAMES, survives=survives)
        self._is_closed = False

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return self.read(keys, (), 0)[0]

    def latest(self, keys: Sequence[str], count: int) -> list[list[Entry]]:
        return self.read((), keys, count)[1]

    def read(
        self, keys: Sequence[str], timelines: Sequence[str], count: int
    ) -> tuple[list[bytes | None], list[list[Entry]]]:
        names = [document_key(key) for key in keys]
        of_timelines = [timeline_name(key) for key in timelines]

        def body(transaction: lmdb.Transaction, databases: Databases) -> tuple[list[bytes | None], list[list[Entry]]]:
            documents = [value_of(_stored(transaction, databases[0], name)) for name in names]
            return documents, _newest_of_each(transaction, databases, of_timelines, count)

        return self._there().read(body)

    def put(self, documents: Iterable[Document]) -> int:
        waiting, written = iter(documents), 0
        while chunk := [(document_key(each.key), encoded(each), each.version) for each in islice(waiting, _CHUNK)]:

            def body(transaction: lmdb.Transaction, databases: Databases, chunk: list[_Row] = chunk) -> int:
                return sum(_put(transaction, databases[0], *row) for row in chunk)

            written += self._there().write(body)
        return written

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        sought = text_bytes(prefix)
        after = sought[:PLAIN]
        while True:

            def body(
                transaction: lmdb.Transaction, databases: Databases, after: bytes = after
            ) -> tuple[bytes | None, list[tuple[str, bytes]]]:
                return _page(transaction.cursor(db=databases[0]), after, sought)

            following, page = self._there().read(body)
            yield from page
            if following is None:
                return
            after = following

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int) -> None:
        waiting = iter(timelines.items())
        while chunk := [(timeline_name(key), _rows_of(entries)) for key, entries in islice(waiting, _CHUNK)]:

            def body(transaction: lmdb.Transaction, databases: Databases, chunk: list[_Added] = chunk) -> None:
                for timeline, rows in chunk:
                    _add(transaction, databases, timeline, rows, keep)

            self._there().write(body)

    def until(self, key: str, at_ms: int, limit: int) -> list[Entry]:
        return self._there().read(partial(_oldest, timeline=timeline_name(key), at_ms=at_ms, limit=limit))

    def remove(self, key: str, ids: Sequence[str]) -> int:
        names = {short(text_bytes(id_)) for id_ in ids}
        return self._there().write(partial(_take_out, timeline=timeline_name(key), names=names))

    def claim(self, key: str, *, seconds: int, now_ms: int) -> bool:
        name, now, end = short(text_bytes(key)), time_bytes(now_ms), time_bytes(now_ms + 1000 * seconds)
        old = time_bytes(now_ms - _GRACE_MS)

        def body(transaction: lmdb.Transaction, databases: Databases) -> bool:
            _clear_claims(transaction, databases, old)
            return _claim(transaction, databases, name, now, end)

        return self._there().write(body)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            release(self._environment)

    def _there(self) -> Environment:
        if self._is_closed:
            raise StoreError(f"{self._environment.folder}: the online store is closed. Open it again")
        return self._environment


def _put(transaction: lmdb.Transaction, documents: "lmdb._Database", name: bytes, data: bytes, version: int) -> bool:
    stored = _stored(transaction, documents, name)
    return (stored is None or version_of(stored) < version) and transaction.put(name, data, db=documents)


def _stored(transaction: lmdb.Transaction, database: "lmdb._Database", name: bytes) -> bytes | None:
    stored = transaction.get(name, db=database)
    return None if stored is None else bytes(stored)


def _page(cursor: lmdb.Cursor, after: bytes, sought: bytes) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """Documents from `after` on, and where to go on; None = that was all."""
    documents: list[tuple[str, bytes]] = []
    start = sought[:PLAIN]
    if not (cursor.set_range(after) if after else cursor.first()):
        return None, documents
    for count, (name, stored) in enumerate((bytes(name), bytes(stored)) for name, stored in cursor):
        if not name.startswith(start):
            return None, documents
        if count == _PAGE:
            return name, documents
        value = value_of(stored)
        key = full_key(name, stored)
        if value is not None and key.startswith(sought):
            documents.append((key.decode("utf-8", "surrogatepass"), value))
    return None, documents


def _claim(transaction: lmdb.Transaction, databases: Databases, name: bytes, now: bytes, end: bytes) -> bool:
    *_, claims, expiries = databases
    stored = _stored(transaction, claims, name)
    if stored is not None and stored > now:
        return False
    if stored is not None:
        transaction.delete(stored + name, db=expiries)
    transaction.put(name, end, db=claims)
    transaction.put(end + name, b"", db=expiries)
    return True


def _clear_claims(transaction: lmdb.Transaction, databases: Databases, old: bytes) -> None:
    """Forget a few that ended before `old`."""
    *_, claims, expiries = databases
    cursor = transaction.cursor(db=expiries)
    for _ in range(_CLEARED):
        if not cursor.first() or (ended := bytes(cursor.key()))[: NUMBER.size] >= old:
            break
        transaction.delete(ended[NUMBER.size :], db=claims)
        cursor.delete()


def _rows_of(entries: Iterable[Entry]) -> list[_EntryRow]:
    return [(time_bytes(entry.at_ms), short(text_bytes(entry.id)), packed(entry)) for entry in entries]


def _add(
    transaction: lmdb.Transaction, databases: Databases, timeline: bytes, rows: Sequence[_EntryRow], keep: int
) -> None:
    """An id that is there stays as it is; the newest `keep` stay. Adding nothing changes nothing."""
    if not rows:
        return
    _, timelines, ids, _, _ = databases
    length = _length(transaction, databases, timeline)
    for time, name, data in rows:
        if transaction.put(timeline + b"i" + name, time, db=ids, overwrite=False):
            transaction.put(timeline + time + name, data, db=timelines)
            length += 1
    cursor = transaction.cursor(db=timelines)
    while length > keep and cursor.set_range(timeline):
        transaction.delete(timeline + b"i" + bytes(cursor.key())[len(timeline) + NUMBER.size :], db=ids)
        cursor.delete()
        length -= 1
    _set_length(transaction, databases, timeline, length)


def _newest_of_each(
    transaction: lmdb.Transaction, databases: Databases, timelines: Iterable[bytes], count: int
) -> list[list[Entry]]:
    """Newest first. A timeline nothing is on is not looked for among all entries."""
    _, entries, lengths, _, _ = databases
    cursor = transaction.cursor(db=entries)
    return [_newest(cursor, name, count) if transaction.get(name, db=lengths) else [] for name in timelines]


def _oldest(
    transaction: lmdb.Transaction, databases: Databases, timeline: bytes, at_ms: int, limit: int
) -> list[Entry]:
    """Up to `at_ms`, oldest first."""
    entries: list[Entry] = []
    cursor = transaction.cursor(db=databases[1])
    if cursor.set_range(timeline):
        for name, data in cursor:
            if len(entries) >= limit or not bytes(name).startswith(timeline):
                break
            entry = entry_of(bytes(name), bytes(data))
            if entry.at_ms > at_ms:
                break
            entries.append(entry)
    return entries


def _take_out(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, names: Collection[bytes]) -> int:
    """How many of the entries named were there."""
    removed = sum(_take_out_one(transaction, databases, timeline, name) for name in names)
    _set_length(transaction, databases, timeline, _length(transaction, databases, timeline) - removed)
    return removed


def _newest(cursor: lmdb.Cursor, timeline: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    is_on_later = cursor.set_range(timeline + b"\xff" * (NUMBER.size + 1))
    if count > 0 and (cursor.prev() if is_on_later else cursor.last()):
        for name, data in cursor.iterprev():
            if not bytes(name).startswith(timeline):
                break
            entries.append(entry_of(bytes(name), bytes(data)))
            if len(entries) == count:
                break
    return entries


def _take_out_one(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, name: bytes) -> bool:
    time = transaction.get(timeline + b"i" + name, db=databases[2])
    transaction.delete(timeline + b"i" + name, db=databases[2])
    return time is not None and transaction.delete(timeline + bytes(time) + name, db=databases[1])


def _length(transaction: lmdb.Transaction, databases: Databases, timeline: bytes) -> int:
    length = transaction.get(timeline, db=databases[2])
    return 0 if length is None else int(NUMBER.unpack(bytes(length))[0])


def _set_length(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, length: int) -> None:
    if length > 0:
        transaction.put(timeline, NUMBER.pack(length), db=databases[2])
    else:
        transaction.delete(timeline, db=databases[2])

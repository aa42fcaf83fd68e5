"""The online store in LMDB: a folder that all processes of one machine read and write.

Four maps:

    documents   key -> version, whether it is gone, when it ends, the key when it is too long for LMDB, value
    timelines   timeline, time, id -> id, value; so a timeline lies in its order
    ids         timeline, id -> time; timeline alone -> how many entries it has, when it ends
    ends        when it ends, document or timeline -> nothing: so that what has ended is found without a search

A timeline is named by 16 bytes of its key's hash.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import lmdb

from lakehouse.errors import StoreError
from lakehouse.online.lmdb_environment import Databases, Environment, acquire, release
from lakehouse.online.lmdb_layout import (
    DOCUMENTS,
    ENDED,
    NUMBER,
    OF_DOCUMENT,
    PLAIN,
    document_key,
    encoded,
    end_of,
    full_key,
    short,
    text_bytes,
    time_bytes,
    timeline_name,
    value_of,
    version_of,
)
from lakehouse.online.lmdb_timelines import Added, add, drop_ended, newest_of_each, oldest, rows_of, take_out
from lakehouse.online.store import Document, Entry

_NAMES = (b"documents", b"timelines", b"ids", b"ends")
_CHUNK = 500  # documents or timelines a transaction: others wait that long to write
_PAGE = 1000  # documents read a transaction by `scan`
_Row = tuple[bytes, bytes, int]  # key, data, version


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
            documents = [value_of(_stored(transaction, databases[DOCUMENTS], name)) for name in names]
            return documents, newest_of_each(transaction, databases, of_timelines, count) if of_timelines else []

        return self._there().read(body)

    def put(self, documents: Iterable[Document]) -> int:
        waiting, written = iter(documents), 0
        while chunk := [(document_key(each.key), encoded(each), each.version) for each in islice(waiting, _CHUNK)]:

            def body(transaction: lmdb.Transaction, databases: Databases, chunk: list[_Row] = chunk) -> int:
                return sum(_put(transaction, databases, *row) for row in chunk)

            written += self._there().write(body)
        return written

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        sought = text_bytes(prefix)
        after = sought[:PLAIN]
        while True:

            def body(
                transaction: lmdb.Transaction, databases: Databases, after: bytes = after
            ) -> tuple[bytes | None, list[tuple[str, bytes]]]:
                return _page(transaction.cursor(db=databases[DOCUMENTS]), after, sought)

            following, page = self._there().read(body)
            yield from page
            if following is None:
                return
            after = following

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int, keep_ms: int | None = None) -> None:
        waiting = iter(timelines.items())
        while chunk := [(timeline_name(key), rows_of(entries)) for key, entries in islice(waiting, _CHUNK)]:

            def body(transaction: lmdb.Transaction, databases: Databases, chunk: list[Added] = chunk) -> None:
                for timeline, rows in chunk:
                    add(transaction, databases, timeline, rows, keep, keep_ms)

            self._there().write(body)

    def until(self, key: str, at_ms: int, limit: int) -> list[Entry]:
        return self._there().read(partial(oldest, timeline=timeline_name(key), at_ms=at_ms, limit=limit))

    def remove(self, key: str, ids: Sequence[str]) -> int:
        names = {short(text_bytes(id_)) for id_ in ids}
        return self._there().write(partial(take_out, timeline=timeline_name(key), names=names))

    def expire(self, now_ms: int, limit: int) -> int:
        return self._there().write(partial(_expire, now=time_bytes(now_ms), limit=limit))

    def rewrite(self) -> None:
        """Leave nothing on disk of what is gone. Raises StoreError: it cannot be done here."""
        self._there().rewrite()

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            release(self._environment)

    def _there(self) -> Environment:
        if self._is_closed:
            raise StoreError(f"{self._environment.folder}: the online store is closed. Open it again")
        return self._environment


def _put(transaction: lmdb.Transaction, databases: Databases, name: bytes, data: bytes, version: int) -> bool:
    documents = databases[DOCUMENTS]
    stored = _stored(transaction, documents, name)
    if stored is not None and version_of(stored) >= version:
        return False
    if (end := end_of(data)) is not None:
        transaction.put(end + OF_DOCUMENT + name, b"", db=databases[ENDED])
    return transaction.put(name, data, db=documents)


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


def _expire(transaction: lmdb.Transaction, databases: Databases, now: bytes, limit: int) -> int:
    """How many ends were looked at: of what has another end by now only the old one is forgotten."""
    documents = databases[DOCUMENTS]
    cursor = transaction.cursor(db=databases[ENDED])
    for count in range(limit):
        if not cursor.first() or (ended := bytes(cursor.key()))[: NUMBER.size] >= now:
            return count
        end, kind, name = ended[: NUMBER.size], ended[NUMBER.size : NUMBER.size + 1], ended[NUMBER.size + 1 :]
        cursor.delete()
        if kind != OF_DOCUMENT:
            drop_ended(transaction, databases, name, end)
        elif (stored := _stored(transaction, documents, name)) is not None and end_of(stored) == end:
            transaction.delete(name, db=documents)
    return limit

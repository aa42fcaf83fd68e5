"""Timelines of the online store in LMDB: entries in their order, each id once, the newest only. See lakehouse/online/lmdb_store.py."""

from collections.abc import Collection, Iterable, Sequence

import lmdb

from lakehouse.config.declarations import DAY_MS
from lakehouse.online.lmdb_environment import Databases
from lakehouse.online.lmdb_layout import (
    ENDED,
    IDS,
    NUMBER,
    OF_TIMELINE,
    OLDEST,
    TIMELINES,
    entry_of,
    packed,
    short,
    text_bytes,
    time_bytes,
)
from lakehouse.online.store import MOST, Entry

EntryRow = tuple[bytes, bytes, bytes]  # time, id, data
Added = tuple[bytes, list[EntryRow]]  # timeline and what is added to it


def rows_of(entries: Iterable[Entry]) -> list[EntryRow]:
    """As `add` takes them."""
    return [(time_bytes(entry.at_ms), short(text_bytes(entry.id)), packed(entry)) for entry in entries]


def add(
    transaction: lmdb.Transaction,
    databases: Databases,
    timeline: bytes,
    rows: Sequence[EntryRow],
    keep: int,
    keep_ms: int | None,
) -> None:
    """An id that is there stays as it is; the newest `keep` stay. Adding nothing changes nothing."""
    if not rows:
        return
    timelines, ids = databases[TIMELINES], databases[IDS]
    length, end = _length_and_end(transaction, databases, timeline)
    for time, name, data in rows:
        if transaction.put(timeline + b"i" + name, time, db=ids, overwrite=False):
            transaction.put(timeline + time + name, data, db=timelines)
            length += 1
    if length > keep:
        cursor = transaction.cursor(db=timelines)
        while length > keep and cursor.set_range(timeline):
            transaction.delete(timeline + b"i" + bytes(cursor.key())[len(timeline) + NUMBER.size :], db=ids)
            cursor.delete()
            length -= 1
    if keep_ms is not None and (later := _end_after(max(time for time, _, _ in rows), keep_ms)) > end:
        transaction.put(later + OF_TIMELINE + timeline, b"", db=databases[ENDED])
        end = later
    _set_length(transaction, databases, timeline, length, end)


def newest_of_each(
    transaction: lmdb.Transaction, databases: Databases, timelines: Iterable[bytes], count: int
) -> list[list[Entry]]:
    """Newest first. A timeline nothing is on is not looked for among all entries."""
    cursor = transaction.cursor(db=databases[TIMELINES])
    return [_newest(cursor, name, count) if transaction.get(name, db=databases[IDS]) else [] for name in timelines]


def oldest(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, at_ms: int, limit: int) -> list[Entry]:
    """Up to `at_ms`, oldest first."""
    entries: list[Entry] = []
    cursor = transaction.cursor(db=databases[TIMELINES])
    if cursor.set_range(timeline):
        for name, data in cursor:
            if len(entries) >= limit or not bytes(name).startswith(timeline):
                break
            entry = entry_of(bytes(name), bytes(data))
            if entry.at_ms > at_ms:
                break
            entries.append(entry)
    return entries


def take_out(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, names: Collection[bytes]) -> int:
    """How many of the entries named were there."""
    removed = sum(_take_out_one(transaction, databases, timeline, name) for name in names)
    length, end = _length_and_end(transaction, databases, timeline)
    _set_length(transaction, databases, timeline, length - removed, end)
    return removed


def drop_ended(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, end: bytes) -> None:
    """Delete all of the timeline, unless it ends later by now, or was emptied."""
    if _length_and_end(transaction, databases, timeline)[1] != end:
        return
    cursor = transaction.cursor(db=databases[TIMELINES])
    while cursor.set_range(timeline) and (name := bytes(cursor.key())).startswith(timeline):
        transaction.delete(timeline + b"i" + name[len(timeline) + NUMBER.size :], db=databases[IDS])
        cursor.delete()
    transaction.delete(timeline, db=databases[IDS])


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
    time = transaction.get(timeline + b"i" + name, db=databases[IDS])
    transaction.delete(timeline + b"i" + name, db=databases[IDS])
    return time is not None and transaction.delete(timeline + bytes(time) + name, db=databases[TIMELINES])


def _end_after(newest: bytes, keep_ms: int) -> bytes:
    """The first midnight at least `keep_ms` after, as `time_bytes`. An end that moved with every entry would be written with every entry."""
    end_ms = NUMBER.unpack(newest)[0] - OLDEST + keep_ms
    return time_bytes(min(-(-end_ms // DAY_MS) * DAY_MS, MOST))


def _length_and_end(transaction: lmdb.Transaction, databases: Databases, timeline: bytes) -> tuple[int, bytes]:
    """The end as `time_bytes`; b"" = never."""
    stored = transaction.get(timeline, db=databases[IDS])
    if stored is None:
        return 0, b""
    held = bytes(stored)
    return NUMBER.unpack_from(held)[0], held[NUMBER.size :]


def _set_length(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, length: int, end: bytes) -> None:
    if length > 0:
        transaction.put(timeline, NUMBER.pack(length) + end, db=databases[IDS])
    else:
        transaction.delete(timeline, db=databases[IDS])

"""Timelines of the online store in LMDB, within one transaction: see lakehouse/online/lmdb_store.py for the maps."""

from collections.abc import Collection, Iterable, Sequence

import lmdb

from lakehouse.online.lmdb_environment import Databases
from lakehouse.online.lmdb_layout import NUMBER, entry_of, packed, short, text_bytes, time_bytes
from lakehouse.online.store import Entry

Row = tuple[bytes, bytes, bytes]  # time, id, data
Added = tuple[bytes, list[Row]]  # timeline and what is added to it


def rows_of(entries: Iterable[Entry]) -> list[Row]:
    return [(time_bytes(entry.at_ms), short(text_bytes(entry.id)), packed(entry)) for entry in entries]


def add(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, rows: Sequence[Row], keep: int) -> None:
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


def newest(
    transaction: lmdb.Transaction, databases: Databases, timelines: Iterable[bytes], count: int
) -> list[list[Entry]]:
    """Newest first. A timeline nothing is on is not looked for among all entries."""
    _, entries, lengths, _, _ = databases
    cursor = transaction.cursor(db=entries)
    return [_newest(cursor, one, count) if transaction.get(one, db=lengths) else [] for one in timelines]


def oldest(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, at_ms: int, limit: int) -> list[Entry]:
    """Up to `at_ms`, oldest first."""
    found: list[Entry] = []
    cursor = transaction.cursor(db=databases[1])
    if cursor.set_range(timeline):
        for name, data in cursor:
            if len(found) >= limit or not bytes(name).startswith(timeline):
                break
            entry = entry_of(bytes(name), bytes(data))
            if entry.at_ms > at_ms:
                break
            found.append(entry)
    return found


def take_out(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, names: Collection[bytes]) -> int:
    """How many of the entries named were there."""
    removed = sum(_take_out(transaction, databases, timeline, name) for name in names)
    _set_length(transaction, databases, timeline, _length(transaction, databases, timeline) - removed)
    return removed


def _newest(cursor: lmdb.Cursor, timeline: bytes, count: int) -> list[Entry]:
    found: list[Entry] = []
    is_on_later = cursor.set_range(timeline + b"\xff" * (NUMBER.size + 1))
    if count > 0 and (cursor.prev() if is_on_later else cursor.last()):
        for name, data in cursor.iterprev():
            if not bytes(name).startswith(timeline):
                break
            found.append(entry_of(bytes(name), bytes(data)))
            if len(found) == count:
                break
    return found


def _take_out(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, name: bytes) -> bool:
    time = transaction.get(timeline + b"i" + name, db=databases[2])
    transaction.delete(timeline + b"i" + name, db=databases[2])
    return time is not None and transaction.delete(timeline + bytes(time) + name, db=databases[1])


def _length(transaction: lmdb.Transaction, databases: Databases, timeline: bytes) -> int:
    found = transaction.get(timeline, db=databases[2])
    return 0 if found is None else int(NUMBER.unpack(bytes(found))[0])


def _set_length(transaction: lmdb.Transaction, databases: Databases, timeline: bytes, length: int) -> None:
    if length > 0:
        transaction.put(timeline, NUMBER.pack(length), db=databases[2])
    else:
        transaction.delete(timeline, db=databases[2])

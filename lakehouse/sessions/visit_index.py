"""The visits of silver.events where a micro-batch can look them up: beside the driver, by visitor and time.

    clusters    hash of the visitor, time of the first event -> time of the last, the events (JSON, LZ4)

A cluster is what no silence of more than 30 minutes divides, so whatever an event concerns lies in the clusters within 30 minutes of it. The
index is at a version of silver.events; at another it is made again from its files.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

import lmdb
import orjson
import pyarrow as pa

from lakehouse.lake.delta import Lake
from lakehouse.lake.local_index import LocalIndex, folder_of, opened
from lakehouse.sessions.rule import GAP_US, Clusters, clusters, in_order
from lakehouse.sessions.visits import COLUMNS, VISIT, visits
from lakehouse.tables.events import SILVER_EVENTS

NAME = "visits"
FORMAT = 2
_SIGN = 1 << 63  # so that times before 1970 sort before those after
_HASH_BYTES, _TIME_BYTES, _SIZE_BYTES = 16, 8, 4
_KEPT = VISIT.names[1:-1]  # of an event; its visitor is in the key
_NOTHING = (None,) * (len(_KEPT) - 1)

Found = dict[bytes, tuple[str, bytes]]
"""Clusters as they are stored, with their visitors."""


class Change(NamedTuple):
    """What new visits change: the clusters they concern as they were, and what is in their place."""

    before: Clusters
    after: Clusters
    stored: Found


class VisitIndex(LocalIndex):
    MAPS: ClassVar = {"clusters": {}}

    def change(self, new: pa.Table) -> Change:
        """`new`: rows of visits.VISIT in any order. Nothing is written."""
        came, found = clusters(in_order(new)), Found()
        with self.transaction() as transaction:
            cursor = transaction.cursor(db=self._maps["clusters"])
            for visitor, start, end in _spans(came):
                for key, value in _touched(cursor, _prefix(visitor), start, end):
                    found[key] = (visitor, value)
        before = _unpacked(found)
        return Change(clusters(before), clusters(in_order(pa.concat_tables([came.visits, before]))), found)

    def of(self, visitor_ids: Iterable[str]) -> Clusters:
        """All clusters of these visitors."""
        found = Found()
        with self.transaction() as transaction:
            cursor = transaction.cursor(db=self._maps["clusters"])
            for visitor in set(visitor_ids):
                prefix = _prefix(visitor)
                is_there = cursor.set_range(prefix)
                while is_there and bytes(cursor.key()).startswith(prefix):
                    found[bytes(cursor.key())] = (visitor, bytes(cursor.value()))
                    is_there = cursor.next()
        return clusters(_unpacked(found))

    def take_in(self, change: Change) -> None:
        """Set the clusters to what they are now. The index has no stamp then, until `restamp`."""
        packed = _packed(change.after)
        gone = change.stored.keys() - packed.keys()

        def put(transaction: lmdb.Transaction) -> None:
            cursor = transaction.cursor(db=self._maps["clusters"])
            for key in gone:
                if cursor.set_key(key):
                    cursor.delete()
            cursor.putmulti(sorted(packed.items()))

        self.commit(put)

    def restamp(self, stamp: str) -> None:
        """`stamp`: see `stamp_of`."""
        self.commit(lambda _: None, stamp=stamp)


def stamp_of(lake: Lake) -> str:
    """The state of silver.events, and of what makes the index of it."""
    return json.dumps({"format": FORMAT, SILVER_EVENTS.name: lake.version(SILVER_EVENTS)})


def index_of(lake: Lake) -> VisitIndex:
    return opened(folder_of(lake.root, NAME), VisitIndex)


def fill(index: VisitIndex, lake: Lake, stamp: str) -> None:
    """Make the index anew from silver.events, piece by piece."""
    index.clear()
    for batch in lake.batches(SILVER_EVENTS, columns=COLUMNS):
        index.take_in(index.change(visits(pa.Table.from_batches([batch]))))
    index.restamp(stamp)


def _spans(found: Clusters) -> Iterable[tuple[str, int, int]]:
    """Visitor, time of the first event, and of the last."""
    starts = found.visits.select(["visitor_id", "at"]).take(found.first)
    return zip(starts["visitor_id"].to_pylist(), starts["at"].to_pylist(), found.end.tolist(), strict=True)


def _touched(cursor: lmdb.Cursor, prefix: bytes, start: int, end: int) -> Iterable[tuple[bytes, bytes]]:
    """The stored clusters within GAP of this time."""
    is_there = cursor.set_range(prefix + _time(end + GAP_US + 1))
    is_there = cursor.prev() if is_there else cursor.last()
    while is_there and bytes(cursor.key()).startswith(prefix):
        key, value = bytes(cursor.key()), bytes(cursor.value())
        if _micros(value[:_TIME_BYTES]) < start - GAP_US:
            break
        yield key, value
        is_there = cursor.prev()


def _prefix(visitor: str) -> bytes:
    return blake2b(visitor.encode(), digest_size=_HASH_BYTES).digest()


def _time(at: int) -> bytes:
    return (at + _SIGN).to_bytes(_TIME_BYTES, "big")


def _micros(time: bytes) -> int:
    return int.from_bytes(time, "big") - _SIGN


def _packed(found: Clusters) -> dict[bytes, bytes]:
    """An endless one has no events."""
    lz4, packed = pa.Codec("lz4_raw"), {}
    events = list(zip(*(found.visits[name].to_pylist() for name in _KEPT), strict=True))
    places = zip(found.first.tolist(), found.after.tolist(), found.is_endless.tolist(), strict=True)
    for (visitor, start, end), (first, after, is_endless) in zip(_spans(found), places, strict=True):
        value = _time(end)
        if not is_endless:
            told = orjson.dumps(events[first:after])
            value += len(told).to_bytes(_SIZE_BYTES, "big") + lz4.compress(told, asbytes=True)
        packed[_prefix(visitor) + _time(start)] = value
    return packed


def _unpacked(found: Found) -> pa.Table:
    """Visits in order."""
    lz4 = pa.Codec("lz4_raw")
    rows: list[tuple[Any, ...]] = []
    for key, (visitor, value) in found.items():
        if len(value) == _TIME_BYTES:
            rows.append((visitor, _micros(key[_HASH_BYTES:]), "", *_NOTHING[1:], _micros(value)))
            continue
        size = int.from_bytes(value[_TIME_BYTES : _TIME_BYTES + _SIZE_BYTES], "big")
        told = lz4.decompress(value[_TIME_BYTES + _SIZE_BYTES :], decompressed_size=size, asbytes=True)
        rows += [(visitor, *event, None) for event in orjson.loads(told)]
    columns = zip(*rows, strict=True) if rows else [[] for _ in VISIT]
    typed = [pa.array(column, field.type) for column, field in zip(columns, VISIT, strict=True)]
    return in_order(pa.table(typed, schema=VISIT))

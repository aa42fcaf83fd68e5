"""The visits of silver.events where a micro-batch can look them up: beside the driver, by visitor and time.

    clusters    hash of the visitor, time of the first event -> time of the last, the events (JSON, deflated)

A cluster is what no silence of more than 30 minutes divides, so whatever an event concerns lies in the clusters within 30 minutes of it. The
index is at a version of silver.events; at another it is made again from its files.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

import lmdb
import orjson
import pyarrow as pa

from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent
from lakehouse.lake.delta import Lake
from lakehouse.lake.local_index import LocalIndex, folder_of, opened
from lakehouse.sessions.rule import GAP_US, Cluster, Visit, clusters
from lakehouse.sessions.visits import COLUMNS, by_visitor, visits
from lakehouse.tables.events import SILVER_EVENTS

NAME = "visits"
FORMAT = 1
_SIGN = 1 << 63  # so that times before 1970 sort before those after
_HASH_BYTES, _TIME_BYTES = 16, 8


class Change(NamedTuple):
    """Of one visitor: the clusters that its new events concern as they were, and what is in their place."""

    visitor_id: str
    before: list[Cluster]
    after: list[Cluster]


class VisitIndex(LocalIndex):
    MAPS: ClassVar = {"clusters": {}}

    def changes(self, new: Mapping[str, Iterable[Visit]]) -> list[Change]:
        """What visits by visitor change; a visitor of whom all is known is left out. Nothing is written."""
        changed = []
        with self.transaction() as transaction:
            cursor = transaction.cursor(db=self._maps["clusters"])
            for visitor, events in new.items():
                before = _touched(cursor, _prefix(visitor), clusters(events))
                known = [event for cluster in before if cluster.events is not None for event in cluster.events]
                after = clusters([*events, *known], [cluster for cluster in before if cluster.events is None])
                if after != before:
                    changed.append(Change(visitor, before, after))
        return changed

    def of(self, visitor_id: str) -> list[Cluster]:
        """All clusters of a visitor."""
        with self.transaction() as transaction:
            cursor, prefix = transaction.cursor(db=self._maps["clusters"]), _prefix(visitor_id)
            is_there = cursor.set_range(prefix)
            found = []
            while is_there and bytes(cursor.key()).startswith(prefix):
                found.append(_unpacked(bytes(cursor.key()), bytes(cursor.value())))
                is_there = cursor.next()
            return found

    def take_in(self, changed: Iterable[Change]) -> None:
        """Set the clusters to what they are now. The index has no stamp then, until `restamp`."""

        def put(transaction: lmdb.Transaction) -> None:
            cursor = transaction.cursor(db=self._maps["clusters"])
            for visitor, before, after in changed:
                prefix = _prefix(visitor)
                gone = {cluster.start for cluster in before} - {cluster.start for cluster in after}
                for start in gone:
                    if cursor.set_key(prefix + _time(start)):
                        cursor.delete()
                cursor.putmulti([(prefix + _time(cluster.start), _packed(cluster)) for cluster in after])

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
        index.take_in(index.changes(by_visitor(visits(pa.Table.from_batches([batch])))))
    index.restamp(stamp)


def _touched(cursor: lmdb.Cursor, prefix: bytes, came: Iterable[Cluster]) -> list[Cluster]:
    """The stored clusters within GAP of any of these, in order of time."""
    found: dict[bytes, Cluster] = {}
    for events in came:
        is_there = cursor.set_range(prefix + _time(events.end + GAP_US + 1))
        is_there = cursor.prev() if is_there else cursor.last()
        while is_there and bytes(cursor.key()).startswith(prefix):
            key, value = bytes(cursor.key()), bytes(cursor.value())
            if _micros(value[:_TIME_BYTES]) < events.start - GAP_US:
                break
            found[key] = _unpacked(key, value)
            is_there = cursor.prev()
    return [found[key] for key in sorted(found)]


def _prefix(visitor: str) -> bytes:
    return blake2b(visitor.encode(), digest_size=_HASH_BYTES).digest()


def _time(at: int) -> bytes:
    return (at + _SIGN).to_bytes(_TIME_BYTES, "big")


def _micros(time: bytes) -> int:
    return int.from_bytes(time, "big") - _SIGN


def _packed(cluster: Cluster) -> bytes:
    """An endless one has no events."""
    if cluster.events is None:
        return _time(cluster.end)
    told = [[*event[:5], *(part and [*part] for part in event[5:8]), *event[8:]] for event in cluster.events]
    return _time(cluster.end) + zlib.compress(orjson.dumps(told), 1)


def _unpacked(key: bytes, value: bytes) -> Cluster:
    events = None
    if len(value) > _TIME_BYTES:
        events = [_visit(*told) for told in orjson.loads(zlib.decompress(value[_TIME_BYTES:]))]
    return Cluster(_micros(key[_HASH_BYTES:]), _micros(value[:_TIME_BYTES]), events)


def _visit(
    at: int,
    message_id: str,
    actor_id: str,
    is_page_view: bool,
    page: str | None,
    traffic: list[Any] | None,
    agent: list[Any] | None,
    location: list[Any] | None,
    *order: str | None,
) -> Visit:
    return Visit(
        *(at, message_id, actor_id, is_page_view, page),
        None if traffic is None else Traffic(*traffic),
        None if agent is None else Agent(*agent),
        None if location is None else Location(*location),
        *order,
    )

"""silver.sessions kept by the stream: of each micro-batch the visitors it concerns, and of these the clusters of events it touches.

The sessions of a cluster follow from its events (rule.py). So a late event may lengthen a session, join two or divide one: what the cluster
gave before is compared with what it gives now, and the rows that differ are set, added or removed.

    prepare, before the batch is in silver.events -> take_in, once it is there

A replay finds the index at another version than silver.events, and makes it again. It then holds the batch already, and cannot tell what the table
lacks: so the table itself is asked, for the visitors of that batch.
"""

import logging

import pyarrow as pa

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.sessions.table import SILVER_SESSIONS, Differences, by_key, differences, rows_of
from lakehouse.sessions.visit_index import fill, index_of, stamp_of
from lakehouse.sessions.visits import by_visitor, visits

log = logging.getLogger("stitchlake.sessions")


class SessionStep:
    """Of one lake. One at a time: whoever calls it holds the lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._is_ready = False
        self._asks_table = False

    def prepare(self) -> None:
        """Have the index at the version of silver.events. Nobody else writes that while we do."""
        if self._is_ready:
            return
        index, stamp = index_of(self._lake), stamp_of(self._lake)
        if index.stamp != stamp:
            fill(index, self._lake, stamp)
            self._asks_table = True
            log.info("silver.sessions: the index of visits is made again")
        self._is_ready = True

    def take_in(self, events: pa.Table) -> None:
        """`events`: those of the batch, which silver.events has by now, with visits.COLUMNS."""
        if events.num_rows == 0:
            return
        self._is_ready = False
        rates, index, new = self._lake.config.money.rates, index_of(self._lake), by_visitor(visits(events))
        changed = index.changes(new)
        index.take_in(changed)
        if self._asks_table:
            stored = self._lake.rows_with(SILVER_SESSIONS, "visitor_id", new)
            before = by_key(stored.to_pylist())
            after = by_key(row for visitor in new for row in rows_of(visitor, index.of(visitor), rates))
        else:
            before = by_key(row for one in changed for row in rows_of(one.visitor_id, one.before, rates))
            after = by_key(row for one in changed for row in rows_of(one.visitor_id, one.after, rates))
        self._write(differences(before, after))
        index.restamp(stamp_of(self._lake))
        self._is_ready, self._asks_table = True, False

    def _write(self, differing: Differences) -> None:
        """New rows first: a crash in between leaves no event without a session, and the replay asks the table."""
        schema, gone = arrow_schema(SILVER_SESSIONS), differing.gone
        self._lake.add(pa.Table.from_pylist(differing.added, schema=schema), SILVER_SESSIONS)
        rows = pa.Table.from_pylist([*differing.changed, *gone], schema=schema)
        if rows.num_rows:
            goes = pa.array([False] * len(differing.changed) + [True] * len(gone))
            self._lake.upsert(
                rows.append_column("is_deleted", goes), SILVER_SESSIONS, deletes=True,
                stored_at=rows["started_at"].combine_chunks(),
            )  # fmt: skip

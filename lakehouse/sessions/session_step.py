"""silver.sessions kept by the stream: of each micro-batch the visitors it concerns, and of these the clusters of events it touches.

The sessions of a cluster follow from its events (rule.py). So a late event may lengthen a session, join two or divide one: what the cluster
gave before is compared with what it gives now, and the rows that differ are set, added or removed.

    prepare, before the batch is in silver.events -> take_in, once it is there

A replay finds the index at another version than silver.events, and makes it again. It then holds the batch already, and cannot tell what the table
lacks: so the table itself is asked, for the visitors of that batch.

Where events have gone by age, sessions that began before the first day that is whole stay as they are: what is left of their events would give others.
"""

import logging
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake.beginnings import first_day, midnight
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.row_differences import Differences, differences
from lakehouse.sessions.rebuilt_sessions import settled_from
from lakehouse.sessions.table import SILVER_SESSIONS, session_rows
from lakehouse.sessions.visit_index import fill, index_of, stamp_of
from lakehouse.sessions.visits import visits
from lakehouse.tables.events import SILVER_EVENTS

_TIME = pa.timestamp("us", tz="UTC")
log = logging.getLogger("stitchlake.sessions")


class SessionStep:
    """Of one lake. One at a time: whoever calls it holds the lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._is_ready = False
        self._asks_table = False
        self._settled_from: datetime | None = None

    def start_again(self) -> None:
        """Rows of silver.events were deleted by somebody else, or by age."""
        self._is_ready = False

    def prepare(self) -> None:
        """Have the index at the version of silver.events. Nobody else writes that while we do."""
        if self._is_ready:
            return
        begins = first_day(self._lake, (SILVER_EVENTS, SILVER_SESSIONS))
        self._settled_from = None if begins is None else settled_from(midnight(begins))
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
        rates, schema = self._lake.config.money.rates, arrow_schema(SILVER_SESSIONS)
        index, new = index_of(self._lake), visits(events)
        change = index.change(new)
        index.take_in(change)
        if self._asks_table:
            visitors = new["visitor_id"].unique().to_pylist()
            before, now = self._lake.rows_with(SILVER_SESSIONS, "visitor_id", visitors), index.of(visitors)
        else:
            before, now = session_rows(change.before.ending, rates, schema), change.after
        told = self._settled(session_rows(now.ending, rates, schema))
        before = self._settled(before)
        self._write(differences(before, told, SILVER_SESSIONS.key, SILVER_SESSIONS.content))
        index.restamp(stamp_of(self._lake))
        self._is_ready, self._asks_table = True, False

    def _settled(self, sessions: pa.Table) -> pa.Table:
        """Those that may change."""
        if self._settled_from is None:
            return sessions
        return sessions.filter(pc.greater_equal(sessions["started_at"], pa.scalar(self._settled_from, _TIME)))

    def _write(self, differing: Differences) -> None:
        """New rows first: a crash in between leaves no event without a session, and the replay asks the table."""
        self._lake.add(differing.added, SILVER_SESSIONS)
        rows = pa.concat_tables([differing.changed, differing.gone])
        if rows.num_rows:
            goes = pa.array([False] * differing.changed.num_rows + [True] * differing.gone.num_rows)
            self._lake.upsert(
                rows.append_column("is_deleted", goes), SILVER_SESSIONS, deletes=True,
                stored_at=rows["started_at"].combine_chunks(),
            )  # fmt: skip

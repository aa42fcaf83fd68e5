"""When a session ends. The one place that says so.

Over a visitor's events in order of time (at one instant in order of message_id) an event begins a session when

    it is the first,
    or more than 30 minutes have passed since the event before it,
    or it brings a campaign (source, medium, name of a tagged link or a paid click) other than the one the session has.

Source: Snowplow's trackers end a session after 30 minutes of silence (https://docs.snowplow.io, "sessionization"); that a new campaign begins
one is Google Analytics' rule since Urchin. A visit without a campaign has none, so the first one it meets is new. A referrer
alone begins nothing, nor does midnight.

What never falls silent is nobody's visit: of more than 10,000 events with no 30 minutes of silence between any two of them no session is
made. A screen in a shop does so, or a server that sends every customer's events under one id. People end, so nobody is left out, and no
visitor costs more than that.

What follows is a function of the set of events: their order and batching do not matter. Silence of more than 30 minutes keeps what lies
before and after it apart. So an event, however late, concerns the clusters of events within 30 minutes of it and no others.
"""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

GAP = timedelta(minutes=30)
GAP_US = GAP // timedelta(microseconds=1)
MOST_EVENTS = 10_000

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ORDER = ("visitor_id", "at", "message_id")


class Clusters(NamedTuple):
    """Of visits in order, with no more than GAP between them. first, after: the row of each one's first visit, and the one after its last.

    end: time of its last visit. is_endless: it has more than MOST_EVENTS.
    """

    visits: pa.Table
    first: Ints
    after: Ints
    end: Ints
    is_endless: Bools

    @property
    def ending(self) -> pa.Table:
        """The visits of those that end, in order: what sessions are made of."""
        return self.visits.filter(pa.array(~np.repeat(self.is_endless, self.after - self.first)))


def in_order(visits: pa.Table) -> pa.Table:
    """Rows of visits.VISIT by visitor, time and message; of those that are there more than once the last."""
    rows = visits.combine_chunks()  # what lies in many pieces is sorted and taken slowly
    rows = rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in _ORDER]))
    is_last = np.ones(rows.num_rows, dtype=bool)
    is_last[:-1] = _is_another(rows, *_ORDER)[1:]
    return rows.filter(pa.array(is_last)).combine_chunks()


def clusters(visits: pa.Table) -> Clusters:
    """All clusters of visits in order. What stands for too many visits makes those endless that it meets."""
    at, visitor_begins = _numbers(visits["at"]), _is_another(visits, "visitor_id")
    begins, end = visitor_begins | _follows_silence(at), at.copy()
    of_many = np.flatnonzero(pc.is_valid(visits["until"]))
    for row, until in zip(of_many.tolist(), visits["until"].take(of_many).to_pylist(), strict=True):
        end[row] = until
        others = np.flatnonzero(visitor_begins[row + 1 :])
        same_visitor = at[row + 1 : row + 1 + others[0] if others.size else None]
        begins[row + 1 : row + 1 + np.searchsorted(same_visitor, until + GAP_US, side="right")] = False
    first = np.flatnonzero(begins)
    after = np.append(first[1:], visits.num_rows)[: first.size]
    is_endless = after - first > MOST_EVENTS
    is_endless |= np.searchsorted(of_many, first) < np.searchsorted(of_many, after)
    return Clusters(visits, first, after, np.maximum.reduceat(end, first) if first.size else end, is_endless)


def session_starts(visits: pa.Table) -> Ints:
    """The rows at which a session begins; of visits in order, of clusters that end."""
    begins = _is_another(visits, "visitor_id") | _follows_silence(_numbers(visits["at"]))
    telling = np.flatnonzero(pc.fill_null(visits["is_campaign"], False))
    told = visits.select(["source", "medium", "campaign"]).take(telling)
    codes: dict[tuple[str | None, ...], int] = {}
    campaign = np.array(
        [codes.setdefault(one, len(codes)) for one in zip(*(c.to_pylist() for c in told.columns), strict=True)],
        dtype=int,
    )
    # The campaign a session has is the one last told since its cluster began.
    cluster = np.cumsum(begins)[telling]
    goes_on = np.zeros(telling.size, dtype=bool)
    goes_on[1:] = (cluster[1:] == cluster[:-1]) & (campaign[1:] == campaign[:-1])
    begins[telling[~goes_on]] = True
    return np.flatnonzero(begins)


def _is_another(rows: pa.Table, *names: str) -> Bools:
    """Whether a row differs from the one before it in one of these columns."""
    is_another = np.ones(rows.num_rows, dtype=bool)
    if rows.num_rows:
        is_another[1:] = False
        for name in names:
            column = rows[name]
            is_another[1:] |= pc.not_equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy()
    return is_another


def _follows_silence(at: Ints) -> Bools:
    return np.diff(at, prepend=at[:1]) > GAP_US


def _numbers(column: pa.ChunkedArray) -> Ints:
    numbers: Ints = column.to_numpy()
    return numbers

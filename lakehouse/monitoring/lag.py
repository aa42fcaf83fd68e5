"""How far a query is behind its topic, from what its micro-batches say of their source.

A micro-batch says where the topic ended when it was planned, and where it stopped reading itself. Once the query has read up to where
the topic ended at some moment, it has read everything that came before that moment. How long ago the newest such moment is, is the
lag in seconds: no record that waits is older, whatever times the records carry. https://github.com/linkedin/Burrow/wiki
"""

import json
from collections import deque
from collections.abc import Mapping

Ends = Mapping[str, int]
"""By topic and partition, the first offset that is not there, or not read, yet."""

_MOST_MOMENTS = (
    1000  # of a query that does not catch up; without the oldest ones the lag is told too long, never too short
)


def ends_of(offset: str) -> Ends | None:
    """The ends in an offset of Spark's Kafka source; None where it is none.

    >>> ends_of('{"events": {"0": 7, "1": 5}}')
    {'events-0': 7, 'events-1': 5}
    """
    try:
        told = json.loads(offset)
        return {f"{topic}-{part}": int(end) for topic, ends in told.items() for part, end in ends.items()}
    except (ValueError, TypeError, AttributeError):
        return None


class Lag:
    """Of one query. offsets: records that wait, as far as its last micro-batch knows. read_until: everything that came before is read.

    Of what waited before its start it knows the offsets, not the age: read_until begins at the start.
    """

    def __init__(self, started_at: float) -> None:
        self.offsets = 0
        self.read_until = started_at
        self._moments: deque[tuple[float, Ends]] = deque(maxlen=_MOST_MOMENTS)

    def took(self, at: float, *, read: Ends, there: Ends) -> None:
        """A micro-batch is done that was planned at that time: it read up to `read`, and the topic went up to `there`."""
        self._moments.append((at, there))
        while self._moments and _covers(read, self._moments[0][1]):
            self.read_until = self._moments.popleft()[0]
        self.offsets = sum(max(0, end - read.get(part, 0)) for part, end in there.items())

    def idle(self, at: float) -> None:
        """The query looked at that time, and there was nothing to read."""
        self._moments.clear()
        self.offsets, self.read_until = 0, at


def _covers(read: Ends, there: Ends) -> bool:
    return all(read.get(part, 0) >= end for part, end in there.items())

"""Events behind the watermark of the `profiles` query: taken from silver, which has them all, into the tables of profiles.

An order is not lost to revenue because it was told a month later. The query drops an event of a day it has closed; what silver then
has of that day is computed anew and set, through the micro-batch like any other leaf row. It needs both queries in one driver, and
waits until silver has read as far as `profiles`: a closed day is then whole in silver, and nothing else will change it.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.lake.delta import Lake
from lakehouse.profiles.late_days import closed_to, late_leaves
from lakehouse.profiles.micro_batch import MicroBatch

log = logging.getLogger("stitchlake.profiles")
_REMEMBERED = "spark.sql.streaming.numRecentProgressUpdates"  # progresses of a query that Spark keeps


class LateEvents:
    """Of one run of the two queries. `micro_batch`: makes the one that takes rows in, or gives the one that is at work."""

    def __init__(
        self,
        lake: Lake,
        profiles: StreamingQuery,
        silver: StreamingQuery,
        micro_batch: Callable[[], MicroBatch],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake = lake
        self._profiles = profiles
        self._silver = silver
        self._micro_batch = micro_batch
        self._clock = clock
        self._seen_to = -1  # the last micro-batch whose progress was looked at
        self._dropped = 0
        self._not_before = clock()

    def take_in(self) -> int:
        """Take in what was dropped since the last call, at most once in profiles.late_seconds; how many leaf rows were set.

        Nothing while silver is behind: to be called again.
        """
        self._dropped += self._dropped_lately()
        if not self._dropped or self._clock() < self._not_before:
            return 0
        micro_batch = self._micro_batch()
        # Before silver is asked for: what a later micro-batch takes in is of days after those that are closed by now.
        newest = micro_batch.newest_event()
        if newest is None or not self._is_silver_there(micro_batch):
            return 0
        dropped, self._dropped = self._dropped, 0
        self._not_before = self._clock() + self._lake.config.profiles.late_seconds
        days = micro_batch.repair(
            lambda: late_leaves(self._lake, to=closed_to(newest, self._lake.config.profiles.watermark_days))
        )
        log.info(json.dumps({"late_events": dropped, "late_days": days}))
        return days

    def _dropped_lately(self) -> int:
        progresses = [dict(progress) for progress in self._profiles.recentProgress]
        new = [progress for progress in progresses if progress["batchId"] > self._seen_to]
        if not new:
            return 0
        # Of more than these some may be forgotten, and with them what they dropped.
        is_gap = len(new) == int(self._lake.spark.conf.get(_REMEMBERED) or 0)
        self._seen_to = new[-1]["batchId"]
        operators = (operator for progress in new for operator in progress["stateOperators"])
        dropped: int = sum(operator["numRowsDroppedByWatermark"] for operator in operators)
        return dropped + is_gap

    def _is_silver_there(self, micro_batch: MicroBatch) -> bool:
        """Whether silver has read all that the micro-batches so far have, the last one among them."""
        progress: Any = self._profiles.lastProgress
        last = max((record.batch_id for record in micro_batch.records), default=-1)
        if progress is None or progress["batchId"] < last:
            return False  # it has just ended, and where it ended is not told yet
        ours, theirs = _ends(self._profiles), _ends(self._silver)
        return all(theirs.get(place, -1) >= end for place, end in ours.items())


def _ends(query: StreamingQuery) -> Mapping[tuple[str, str], int]:
    """(topic, partition) -> the first offset not read yet, as of the last micro-batch."""
    progress: Any = query.lastProgress
    sources = [] if progress is None else progress["sources"]
    ends = [json.loads(source["endOffset"]) for source in sources if source["endOffset"]]
    return {(topic, partition): end for of_one in ends for topic, of in of_one.items() for partition, end in of.items()}

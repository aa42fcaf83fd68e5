"""Every streaming query in one driver: when they run, how they start and end together, what is said when one fails."""

import logging
from collections.abc import Callable
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake

log = logging.getLogger("stitchlake.streams")

Start = Callable[..., StreamingQuery]


def trigger(seconds: int, *, available_now: bool) -> dict[str, Any]:
    """Arguments of `DataStreamWriter.trigger`: drain what is there and end, or every `seconds` (0 = at once)."""
    return {"availableNow": True} if available_now else {"processingTime": f"{seconds} seconds"}


def await_all(lake: Lake, queries: list[StreamingQuery]) -> None:
    """Wait until every query has ended; when one fails, stop the others and say which and why.

    Raises:
        StitchlakeError: one line; the stack trace is in the log.
    """
    waiting = list(queries)
    while waiting:
        lake.spark.streams.awaitAnyTermination()
        lake.spark.streams.resetTerminated()
        failed = next((q for q in waiting if not q.isActive and q.exception() is not None), None)
        if failed is not None:
            for query in waiting:
                query.stop()
            raise failure(failed)
        waiting = [query for query in waiting if query.isActive]


def failure(query: StreamingQuery) -> StitchlakeError:
    """What is said of a query that failed; its stack trace goes to the log."""
    error = query.exception()
    assert isinstance(error, StreamingQueryException)
    log.error("%s", error)
    first_line = str(error).strip().splitlines()[0]
    return StitchlakeError(
        f"query {query.name}: stopped, {first_line}. Mend the cause and start again: it resumes where it was"
    )

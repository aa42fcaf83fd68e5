"""Every streaming query in one driver: when they run, how they start and end together, what is said when one fails."""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake

log = logging.getLogger("stitchlake.streams")
_NAMED_ERROR = re.compile(r"^(?!SQLSTATE)[A-Za-z_][\w.]*: .+$", re.MULTILINE)

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
        with suppress(StreamingQueryException):  # of one that failed, which is looked for below
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
    return StitchlakeError(
        f"query {query.name}: stopped, {cause(str(error))}. Mend the cause and start again: it resumes where it was"
    )


def cause(told: str) -> str:
    """The line of Spark's message that names the error: the last `Error: text` before the plan, else its first line."""
    message = told.strip().split("=== Streaming Query ===")[0]
    named = _NAMED_ERROR.findall(message)
    line = named[-1] if named else message.splitlines()[0]
    return line.split(" SQLSTATE: ")[0].rstrip(". ")

"""Every streaming query in one driver: when they run, how they start and end together, what becomes of one that fails.

A query that fails is started again after a pause, and the others run on: a disk that is full for a minute stops nobody. It is given
up, and all of it ends, where another try is no use (lakehouse/spark/restarts.py): a query works once it has finished a micro-batch. What a start or a
micro-batch refuses for the lake, a contract or the configuration is for a person to mend, and is not tried again.
"""

import logging
import re
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse import errors
from lakehouse.errors import LakeError, QueryError, StitchlakeError
from lakehouse.lake.delta import Lake
from lakehouse.spark.restarts import Restarts

log = logging.getLogger("stitchlake.streams")
_NAMED_ERROR = re.compile(r"^(?!SQLSTATE)[A-Za-z_][\w.]*: .+$", re.MULTILINE)
_REMEDY = "Mend the cause and start again: it resumes where it was"
_OUR_ERROR = re.compile(rf"{re.escape(errors.__name__)}\.(\w+): ")  # as Python writes it: module and class

# What Spark says where files of a checkpoint are gone, broken, or of a state that is built otherwise; the last is the stack of a start.
_DAMAGED = re.compile(
    r"\[((?:CANNOT_LOAD_STATE_STORE|STATE_STORE_\w+|STREAMING_STATEFUL_OPERATOR_MISSING|STREAMING_CHECKPOINT_MISSING)[\w.]*)\]"
    r"|(next on empty iterator|batch \d+ doesn't exist)|(StreamMetadata)\$"
)

Start = Callable[..., StreamingQuery]


def trigger(seconds: int, *, available_now: bool) -> dict[str, Any]:
    """Arguments of `DataStreamWriter.trigger`: drain what is there and end, or every `seconds` (0 = at once)."""
    return {"availableNow": True} if available_now else {"processingTime": f"{seconds} seconds"}


def started(lake: Lake, start: Start, *, available_now: bool) -> StreamingQuery:
    """The query, in a scheduler pool of its own.

    Raises:
        LakeError: Spark cannot read its checkpoint.
    """
    lake.spark.sparkContext.setLocalProperty("spark.scheduler.pool", start.__module__)
    try:
        return start(lake, available_now=available_now)
    except (PySparkException, Py4JJavaError) as error:
        if (damage := _damage(str(error))) is not None:
            raise LakeError(f"{start.__module__.rpartition('.')[2]}: {damage}") from error
        raise


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


@dataclass
class _Run:
    """A query that is kept running."""

    start: Start
    query: StreamingQuery
    restarts: Restarts = field(default_factory=Restarts)


def supervise(
    lake: Lake,
    starts: Sequence[Start],
    queries: Sequence[StreamingQuery],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Keep the queries running, each by the start of its place, until they are stopped.

    Raises:
        StitchlakeError: one was given up, or is for a person to mend, and the others were stopped. One line; the stack trace is in
            the log.
    """
    runs = [_Run(start, query) for start, query in zip(starts, queries, strict=True)]
    try:
        while runs:
            dues = [run.restarts.due for run in runs if run.restarts.due is not None]
            pause = max(0.1, min(dues) - clock()) if dues else None
            with suppress(StreamingQueryException):  # of one that failed, which is looked for below
                lake.spark.streams.awaitAnyTermination(pause)  # type: ignore[arg-type]  # it takes parts of seconds
            lake.spark.streams.resetTerminated()
            runs = [run for run in runs if _goes_on(run, lake, clock())]
    except StitchlakeError:
        for run in runs:
            run.query.stop()
        raise


def _goes_on(run: _Run, lake: Lake, now: float) -> bool:
    """False of a query that somebody stopped. One that is due is started; one that failed is due, or is given up."""
    restarts = run.restarts
    if restarts.due is None:
        if run.query.isActive:
            return True
        if run.query.exception() is None:
            return False
        if run.query.lastProgress is not None:
            restarts.worked()
        failed = _failed(run.query)
    elif now < restarts.due:
        return True
    else:
        try:
            run.query = started(lake, run.start, available_now=False)
        except Exception as error:  # of whatever kind: starting reads the lake, the broker and the online store
            if isinstance(error, StitchlakeError) and not error.may_pass:
                raise
            trace = _without_plan(traceback.format_exc())
            log.error("query %s did not start: %s", run.query.name, trace, extra={"query": run.query.name})
            failed = QueryError(f"query {run.query.name}: did not start, {cause(f'{type(error).__name__}: {error}')}")
        else:
            restarts.due = None
            return True
    if not failed.may_pass or not restarts.fail(now):
        raise StitchlakeError(f"{failed}. {_REMEDY}")
    assert restarts.due is not None
    log.warning("%s. Tried again in %.0f s", failed, restarts.due - now, extra={"query": run.query.name})
    return True


def failure(query: StreamingQuery) -> StitchlakeError:
    """What is said of a query that failed and is not tried again here. Whether it `may_pass` follows from its cause."""
    failed = _failed(query)
    return type(failed)(f"{failed}. {_REMEDY}")


def _failed(query: StreamingQuery) -> StitchlakeError:
    """What is said of a query that failed; its stack trace goes to the log, without the plan."""
    error = query.exception()
    assert isinstance(error, StreamingQueryException)
    log.error("%s", _without_plan(str(error)), extra={"query": query.name})
    why = cause(str(error))
    kind = QueryError if _may_pass(why) else StitchlakeError
    return kind(f"query {query.name}: stopped, {_damage(str(error)) or why}")


def _damage(told: str) -> str | None:
    """What is said where Spark cannot read a checkpoint; None where it can. It may be able to at another try: the store may have been away."""
    found = _DAMAGED.search(_without_plan(told))
    if found is None:
        return None
    return (
        f"its checkpoint cannot be read, got {next(filter(None, found.groups()))}, expected what Spark has written there. If that stays so, "
        "delete it, below <lake.root>/_checkpoints, and start again: what is stored stays, and nothing is taken in twice"
    )


def _may_pass(why: str) -> bool:
    """An error of ours says so itself. Of every other, such as a full disk, nobody knows."""
    ours = _OUR_ERROR.match(why)
    kind = getattr(errors, ours[1], None) if ours else None
    return kind is None or kind.may_pass


def _without_plan(told: str) -> str:
    return told.strip().split("=== Streaming Query ===")[0].rstrip()


def cause(told: str) -> str:
    """The line of Spark's message that names the error: the last `Error: text` before the plan, else its first line."""
    message = _without_plan(told)
    named = _NAMED_ERROR.findall(message)
    line = named[-1] if named else message.splitlines()[0]
    return line.split(" SQLSTATE: ")[0].rstrip(". ")

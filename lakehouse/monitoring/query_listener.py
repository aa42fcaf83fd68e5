"""Spark's events about its queries -> metrics. Spark hands them over beside the queries, on a thread of its own."""

import functools
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pyspark import SparkContext
from pyspark.sql.streaming.listener import (
    JStreamingQueryListener,
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    SourceProgress,
    StreamingQueryListener,
    StreamingQueryProgress,
)

from lakehouse.monitoring.lag import Lag, ends_of
from lakehouse.monitoring.stream_meters import StreamMeters

_MS = 1000.0
UNNAMED = "unknown"  # class of an error that Spark has no class for
log = logging.getLogger("stitchlake.monitoring")


def _harmless(hear: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Of a listener: started is told while the query starts, and would hold it up."""

    @functools.wraps(hear)
    def heard(listener: Any, event: Any) -> None:
        try:
            hear(listener, event)
        except Exception:
            log.exception("the metrics lack an event of a query; the query runs on")

    return heard


class _InOnePiece(JStreamingQueryListener):
    """Takes a progress as one text. PySpark asks the JVM for each of its fields: 16 ms of a micro-batch."""

    @_harmless
    def onQueryProgress(self, jevent: Any) -> None:
        told = {"progress": json.loads(jevent.progress().json())}
        self.pylistener.onQueryProgress(QueryProgressEvent.fromJson(told))


class QueryListener(StreamingQueryListener):
    """Keeps the metrics of the named queries of one session. A query without a name is none of ours."""

    def __init__(self, meters: StreamMeters) -> None:
        self._meters = meters
        self._names: dict[str, str] = {}  # by run
        self._lags: dict[str, Lag] = {}  # by run
        self._seen: set[str] = set()

    @functools.cached_property
    def _jlistener(self) -> Any:
        jvm = SparkContext._jvm
        assert jvm is not None
        return jvm.PythonStreamingQueryListenerWrapper(_InOnePiece(self))

    @_harmless
    def onQueryStarted(self, event: QueryStartedEvent) -> None:
        """Before `start()` returns."""
        if event.name is None:
            return
        self._names[str(event.runId)] = event.name
        self._lags[str(event.runId)] = self._meters.follow(event.name)
        self._meters.up.labels(event.name).set(1)
        self._meters.restarts.labels(event.name).inc(event.name in self._seen)
        self._seen.add(event.name)

    @_harmless
    def onQueryProgress(self, event: QueryProgressEvent) -> None:
        """A micro-batch is done."""
        progress = event.progress
        run = str(progress.runId)
        if (name := self._names.get(run)) is None:
            return
        self._took(name, progress)
        for source in progress.sources[:1]:  # every query of ours has one
            self._read(name, self._lags[run], source, _seconds(progress.timestamp))

    @_harmless
    def onQueryIdle(self, event: QueryIdleEvent) -> None:
        """There was nothing to read."""
        if (name := self._names.get(str(event.runId))) is not None:
            self._lags[str(event.runId)].idle(_seconds(event.timestamp))
            self._meters.lag_offsets.labels(name).set(0)

    @_harmless
    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:
        """The query ended. Its lag goes on growing until it is started again."""
        if (name := self._names.pop(str(event.runId), None)) is None:
            return
        self._lags.pop(str(event.runId))
        self._meters.up.labels(name).set(0)
        if event.exception is not None:
            self._meters.failures.labels(name, event.errorClassOnException or UNNAMED).inc()

    def _took(self, name: str, progress: StreamingQueryProgress) -> None:
        meters = self._meters
        meters.batch_seconds.labels(name).observe(progress.durationMs.get("triggerExecution", 0) / _MS)
        for phase, milliseconds in progress.durationMs.items():
            if phase != "triggerExecution":  # the whole, not a phase
                meters.phase_seconds.labels(name, phase).inc(milliseconds / _MS)
        meters.rows.labels(name).inc(progress.numInputRows)
        if "watermark" in progress.eventTime:
            meters.watermark.labels(name).set(_seconds(progress.eventTime["watermark"]))
        states = progress.stateOperators
        if states:
            meters.state_rows.labels(name).set(sum(state.numRowsTotal for state in states))
            meters.state_bytes.labels(name).set(sum(state.memoryUsedBytes for state in states))
            meters.late_rows.labels(name).inc(sum(state.numRowsDroppedByWatermark for state in states))

    def _read(self, name: str, lag: Lag, source: SourceProgress, planned_at: float) -> None:
        read, there = ends_of(source.endOffset), ends_of(source.latestOffset)
        if read is not None and there is not None:
            lag.took(planned_at, read=read, there=there)
            self._meters.lag_offsets.labels(name).set(lag.offsets)


def _seconds(timestamp: str) -> float:
    """Of Spark's ISO 8601 text, since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()

"""Every metric of a streaming driver. Labels are names of ours and of Spark's: queries, stages, tables, reasons, classes of errors."""

import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from lakehouse.monitoring.lag import Lag
from lakehouse.profiles.batch_record import BatchRecord

_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 3600)
log = logging.getLogger("stitchlake.monitoring")


class StreamMeters:
    """The metrics of one driver, in a registry of their own. Thread-safe. `clock`: seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        ProcessCollector(registry=self.registry)
        self._queries()
        self._batches()
        self._expectations()

    def _queries(self) -> None:
        """What Spark says of each query."""
        self.up = self._gauge("query_up", "1 while the query runs, 0 once it has ended", "query")
        self.restarts = self._counter("query_restarts", "starts of the query after its first in this driver", "query")
        self.failures = self._counter(
            "query_failures", "ends of the query by an error, of that class", "query", "error"
        )
        self.batch_seconds = self._histogram("query_batch_seconds", "a micro-batch, from trigger to commit", "query")
        self.phase_seconds = self._counter(
            "query_phase_seconds", "time in Spark's phases of a micro-batch", "query", "phase"
        )
        self.rows = self._counter("query_rows", "records read from the topic", "query")
        self.lag_offsets = self._gauge(
            "query_lag_offsets", "records of the topic that the last micro-batch left unread", "query"
        )
        self.lag_seconds = self._gauge(
            "query_lag_seconds", "no record that came since the start and is not read yet is older", "query"
        )
        self.state_rows = self._gauge("query_state_rows", "rows of the query's state", "query")
        self.state_bytes = self._gauge("query_state_bytes", "memory of the query's state", "query")
        self.late_rows = self._counter("query_late_rows", "rows that the watermark dropped", "query")
        self.watermark = self._gauge(
            "query_watermark_timestamp_seconds", "the watermark, in seconds since 1970", "query"
        )

    def _batches(self) -> None:
        """What the micro-batches of the `events` query note of themselves. A replay counts again."""
        self.accepted = self._counter("events_accepted", "events taken into silver.events")
        self.quarantined = self._counter("events_quarantined", "records put into quarantine", "reason")
        self.stage_seconds = self._counter(
            "batch_stage_seconds", "time in our stages of a micro-batch; some run side by side", "stage"
        )
        self.leaf_rows = self._counter("batch_leaf_rows", "actors and days that micro-batches brought something for")
        self.freshness = self._histogram(
            "freshness_seconds",
            "from Kafka to there, of the event of a micro-batch that waited longest",
            "place",
        )
        self.gold_at = self._gauge(
            "gold_committed_timestamp_seconds", "when gold was committed last, in seconds since 1970"
        )
        self.store_is_behind = self._gauge("online_store_is_behind", "1 while the online store lacks what gold has")
        self.store_owed = self._gauge("online_store_owed_profiles", "profiles that are to be written there again")

    def _expectations(self) -> None:
        """What was found of the expectations of tables."""
        self.is_broken = self._gauge(
            "expectation_is_broken", "1 while the newest window breaks the expectation", "table", "expectation"
        )
        self.share = self._gauge(
            "expectation_share",
            "share of rows that break it; of hourly_volume, rows by what is usual",
            "table",
            "expectation",
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"stitchlake_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"stitchlake_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"stitchlake_{name}", text, labels, buckets=_SECONDS, registry=self.registry)

    def follow(self, query: str) -> Lag:
        """The lag of a query that started, which is told from now on."""
        lag = Lag(self._clock())
        self.lag_seconds.labels(query).set_function(lambda: max(0.0, self._clock() - lag.read_until))
        return lag

    def judged(self, table: str, expectation: str, share: float | None, is_met: bool | None) -> None:
        """What was found of an expectation; None = too little to say."""
        self.is_broken.labels(table, expectation).set(is_met is False)
        if share is not None:
            self.share.labels(table, expectation).set(share)

    def took(self, record: BatchRecord) -> None:
        """A micro-batch of `events` is done. Whatever is wrong with that is told in the log."""
        try:
            self._took(record)
        except Exception:
            log.exception("a micro-batch was not counted in the metrics; it is in the tables")

    def _took(self, record: BatchRecord) -> None:
        self.accepted.inc(record.accepted)
        self.leaf_rows.inc(record.leaf_rows)
        for reason, count in record.quarantined.items():
            self.quarantined.labels(reason).inc(count)
        for stage, seconds in dict(record.seconds).items():  # a copy: stages that run beside may still end
            self.stage_seconds.labels(stage).inc(seconds)
        if record.committed_at is not None:
            self.gold_at.set(record.committed_at.timestamp())
        for place, at in (("online", record.online_at), ("gold", record.committed_at)):
            if at is not None and record.first_arrival is not None:
                self.freshness.labels(place).observe(max(0.0, (at - record.first_arrival).total_seconds()))
        if record.online_owed is not None:
            self.store_owed.set(record.online_owed)
        self.store_is_behind.set(record.online_is_behind)

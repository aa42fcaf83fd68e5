"""Queries as Spark tells of them: one that works, one that fails, one that is started again; and what Kafka's offsets say."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.listener import QueryIdleEvent, QueryProgressEvent, QueryStartedEvent
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.machine import wait_until
from lakehouse.monitoring.query_listener import QueryListener
from lakehouse.monitoring.stream_meters import StreamMeters

STARTED_MS = 1_767_225_600_000


@pytest.fixture
def meters(spark: SparkSession) -> Iterator[StreamMeters]:
    """Of every query the test starts."""
    meters = StreamMeters()
    listener = QueryListener(meters)
    spark.streams.addListener(listener)
    yield meters
    spark.streams.removeListener(listener)


def value(meters: StreamMeters, name: str, **labels: str) -> float | None:
    return meters.registry.get_sample_value(f"stitchlake_query_{name}", labels)


def start(spark: SparkSession, name: str, folder: Path, *, fails_at: int | None = None) -> StreamingQuery:
    def on_batch(rows: DataFrame, batch_id: int) -> None:
        rows.count()
        if batch_id == fails_at:
            raise OSError("no space left")

    source = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 5)
    rows = source.option("startTimestamp", STARTED_MS).load()
    counted = rows.withWatermark("timestamp", "1 hour").dropDuplicatesWithinWatermark(["value"])
    query = counted.writeStream.queryName(name).foreachBatch(on_batch)
    return query.option("checkpointLocation", str(folder / name)).start()


def test_a_query_is_told_while_it_runs_when_it_fails_and_when_it_is_started_again(
    spark: SparkSession, meters: StreamMeters, tmp_path: Path
) -> None:
    failing = start(spark, "failing", tmp_path, fails_at=1)
    with suppress(StreamingQueryException):
        failing.awaitTermination()
    assert wait_until(lambda: value(meters, "up", query="failing") == 0, 20)
    assert value(meters, "batch_seconds_count", query="failing") == 1
    assert value(meters, "rows_total", query="failing") == 5
    assert value(meters, "state_rows", query="failing") == 5
    assert (value(meters, "state_bytes", query="failing") or 0) > 0
    assert value(meters, "late_rows_total", query="failing") == 0
    assert (value(meters, "phase_seconds_total", query="failing", phase="addBatch") or 0) > 0
    assert value(meters, "failures_total", query="failing", error="FOREACH_BATCH_USER_FUNCTION_ERROR") == 1
    assert value(meters, "restarts_total", query="failing") == 0

    again = start(spark, "failing", tmp_path)
    assert value(meters, "up", query="failing") == 1, "told before start() returns"
    assert value(meters, "restarts_total", query="failing") == 1
    again.stop()
    assert wait_until(lambda: value(meters, "up", query="failing") == 0, 20)
    assert value(meters, "failures_total", query="failing", error="FOREACH_BATCH_USER_FUNCTION_ERROR") == 1


def test_what_kafka_says_is_the_lag() -> None:
    now = 1_767_268_830.0  # 2026-01-01T12:00:30Z
    meters, run = StreamMeters(clock=lambda: now), str(uuid4())
    listener = QueryListener(meters)
    ids = {"id": run, "runId": run, "timestamp": "2026-01-01T12:00:00.000Z"}
    listener.onQueryStarted(QueryStartedEvent.fromJson({**ids, "name": "events"}))
    listener.onQueryProgress(progress(ids, read=20, there=50))
    assert value(meters, "lag_offsets", query="events") == 30
    assert value(meters, "lag_seconds", query="events") == 0, "nothing is known of what waited before the start"
    assert value(meters, "watermark_timestamp_seconds", query="events") == now - 30 - 7 * 86400
    listener.onQueryProgress(progress(ids | {"timestamp": "2026-01-01T12:00:20.000Z"}, read=50, there=60))
    assert value(meters, "lag_offsets", query="events") == 10
    assert value(meters, "lag_seconds", query="events") == 30
    listener.onQueryIdle(QueryIdleEvent.fromJson(ids | {"timestamp": "2026-01-01T12:00:29.000Z"}))
    assert value(meters, "lag_offsets", query="events") == 0
    assert value(meters, "lag_seconds", query="events") == 1


def progress(ids: dict[str, Any], *, read: int, there: int) -> QueryProgressEvent:
    """A micro-batch of one partition."""
    rates = {"numInputRows": 10, "inputRowsPerSecond": 1.0, "processedRowsPerSecond": 1.0}
    offsets = {"startOffset": None, "endOffset": {"events": {"0": read}}, "latestOffset": {"events": {"0": there}}}
    source = {"description": "KafkaV2[Subscribe[events]]", "metrics": {}, **offsets, **rates}
    told = {
        **ids, **rates, "name": "events", "batchId": 0, "batchDuration": 900, "durationMs": {"triggerExecution": 900},
        "eventTime": {"watermark": "2025-12-25T12:00:00.000Z"}, "stateOperators": [], "sources": [source],
        "sink": {"description": "ForeachBatchSink", "numOutputRows": -1},
    }  # fmt: skip
    return QueryProgressEvent.fromJson({"progress": json.loads(json.dumps(told))})


def test_what_it_cannot_read_is_told_in_the_log_and_fails_nobody(caplog: pytest.LogCaptureFixture) -> None:
    listener = QueryListener(StreamMeters())
    with caplog.at_level(logging.ERROR):
        listener.onQueryStarted(SimpleNamespace(name="events"))
    assert "the metrics lack an event" in caplog.text


def test_a_query_without_a_name_is_none_of_ours() -> None:
    meters = StreamMeters()
    run = str(uuid4())
    started = {"id": run, "runId": run, "name": None, "timestamp": "2026-01-01T12:00:00.000Z"}
    listener = QueryListener(meters)
    listener.onQueryStarted(QueryStartedEvent.fromJson(started))
    listener.onQueryProgress(progress(started, read=1, there=1))
    queries = [sample for family in meters.registry.collect() for sample in family.samples if "query" in sample.labels]
    assert queries == []

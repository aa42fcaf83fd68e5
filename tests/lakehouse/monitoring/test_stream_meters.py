"""What a micro-batch adds to the metrics of its driver."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.profiles.batch_record import BatchRecord

ARRIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(**facts: Any) -> BatchRecord:
    return BatchRecord(batch_id=0, **facts)


def value(meters: StreamMeters, name: str, **labels: str) -> float | None:
    return meters.registry.get_sample_value(f"stitchlake_{name}", labels)


def test_a_micro_batch_is_counted_by_what_it_did_and_how_long_its_first_event_waited() -> None:
    meters = StreamMeters()
    for _ in range(2):
        meters.took(
            record(
                accepted=90, quarantined={"not_json": 3}, leaf_rows=40, seconds={"gold": 0.5}, first_arrival=ARRIVED,
                online_at=ARRIVED + timedelta(seconds=1.5), committed_at=ARRIVED + timedelta(seconds=3), online_owed=0,
            )
        )  # fmt: skip
    assert value(meters, "events_accepted_total") == 180
    assert value(meters, "events_quarantined_total", reason="not_json") == 6
    assert value(meters, "batch_leaf_rows_total") == 80
    assert value(meters, "batch_stage_seconds_total", stage="gold") == 1
    assert value(meters, "freshness_seconds_sum", place="online") == 3
    assert value(meters, "freshness_seconds_bucket", place="gold", le="2.0") == 0
    assert value(meters, "freshness_seconds_bucket", place="gold", le="4.0") == 2
    assert value(meters, "gold_committed_timestamp_seconds") == (ARRIVED + timedelta(seconds=3)).timestamp()
    assert value(meters, "online_store_is_behind") == 0


def test_a_store_that_did_not_take_a_micro_batch_is_behind_until_it_has() -> None:
    meters = StreamMeters()
    meters.took(record(first_arrival=ARRIVED, committed_at=ARRIVED, online_owed=7, online_is_behind=True))
    assert value(meters, "online_store_is_behind") == 1
    assert value(meters, "online_store_owed_profiles") == 7
    assert value(meters, "freshness_seconds_count", place="online") is None, "nobody can read it there"
    meters.took(record(online_owed=0))
    assert value(meters, "online_store_is_behind") == 0
    assert value(meters, "online_store_owed_profiles") == 0


def test_a_micro_batch_never_fails_by_its_metrics(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        StreamMeters().took(record(accepted=-1))
    assert "not counted in the metrics" in caplog.text


def test_the_lag_of_a_query_goes_on_growing_until_it_reads_again() -> None:
    now = [100.0]
    meters = StreamMeters(clock=lambda: now[0])
    lag = meters.follow("events")
    now[0] = 130.0
    assert value(meters, "query_lag_seconds", query="events") == 30
    lag.idle(125.0)
    assert value(meters, "query_lag_seconds", query="events") == 5

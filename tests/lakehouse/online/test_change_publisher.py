"""Changes told to a real broker, and to none."""

import json
import os
import signal
import time
from datetime import UTC, datetime

import pytest
from kafka import KafkaConsumer

from lakehouse import machine
from lakehouse.kafka.broker import RunningBroker
from lakehouse.online import change_publisher
from lakehouse.online.change_publisher import Change, KafkaChanges

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_every_change_is_told_by_its_profile(kafka: RunningBroker) -> None:
    changes = KafkaChanges(kafka, "told-changes", 2)
    changes([Change(f"p{n}", 7 + n, AT) for n in range(3)])
    changes([Change("p0", 99, AT)])
    changes.close()
    consumer = KafkaConsumer(
        "told-changes",
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    found = []
    for record in consumer:
        value = json.loads(record.value)
        assert record.key.decode() == value["profile_id"]
        found.append(value)
        if len(found) == 4:
            break
    consumer.close()
    assert sorted((one["profile_id"], one["version"]) for one in found) == [("p0", 7), ("p0", 99), ("p1", 8), ("p2", 9)]
    assert found[0]["updated_at"] == "2026-03-01T12:00:00.000+00:00"


def test_without_a_broker_nobody_waits_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    changes = KafkaChanges(RunningBroker(bootstrap_servers=f"127.0.0.1:{machine.free_port()}", pid=0), "nowhere", 1)
    started = time.perf_counter()
    for _ in range(200):
        changes([Change("p", 1, AT)])
    assert time.perf_counter() - started < 1
    changes.close()
    assert "were not told" in caplog.text


def test_a_broker_that_freezes_before_the_end_is_said_in_one_line(
    kafka: RunningBroker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = KafkaChanges(kafka, "frozen-changes", 1)
    changes([Change("p", 1, AT)])
    told = KafkaConsumer("frozen-changes", bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    assert told.poll(20_000)
    told.close()
    assert kafka.pid is not None
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(change_publisher, "_PATIENCE_SECONDS", 1.0)
        changes([Change("p", 2, AT)])
        changes.close()
        changes._thread.join(20)
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert "the last changes of profiles may not have been told" in caplog.text
    assert "Traceback" not in caplog.text

"""bronze.events from a stream of files in place of Kafka: every record as it came, once."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.lake.delta import Lake
from lakehouse.maintenance import local_table
from lakehouse.queries import bronze_events
from lakehouse.tables.events import BRONZE_EVENTS
from tests.rows import ARRIVAL, Value, add_batch, stream

BATCHES: list[list[Value]] = [["first", b"\xff\x00"], [None, "first"]]
KEPT = [(0, b"first"), (1, b"\xff\x00"), (2, None), (3, b"first")]


@pytest.fixture
def folder(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the query finds its records."""
    folder = tmp_path / "records"
    for batch in BATCHES:
        add_batch(folder, batch)
    monkeypatch.setattr(bronze_events, "read_records", lambda lake, *_, **__: stream(lake.spark, folder))
    monkeypatch.setattr(bronze_events, "refuse_lost", lambda *_: None)  # asks the broker
    lake.create(BRONZE_EVENTS)
    return folder


def drain(lake: Lake) -> None:
    bronze_events.start(lake, available_now=True).awaitTermination()


def test_every_record_is_kept_with_its_bytes_repeats_and_tombstones_among_them(lake: Lake, folder: Path) -> None:
    started_at = datetime.now(UTC).replace(tzinfo=None)
    drain(lake)
    rows = lake.read(BRONZE_EVENTS).orderBy("offset").collect()
    assert [(row["offset"], row["value"]) for row in rows] == KEPT
    assert {(row["topic"], row["partition"], row["key"]) for row in rows} == {("events", 0, None)}
    assert {row["kafka_timestamp"] for row in rows} == {ARRIVAL.replace(tzinfo=None)}
    assert all(row["ingested_at"] >= started_at for row in rows)


def test_a_second_run_takes_up_only_what_is_new(lake: Lake, folder: Path) -> None:
    drain(lake)
    drain(lake)
    add_batch(folder, ["later"])
    drain(lake)
    rows = lake.read(BRONZE_EVENTS).orderBy("offset").collect()
    assert [(row["offset"], row["value"]) for row in rows] == [*KEPT, (4, b"later")]


def test_without_its_checkpoint_it_reads_all_again_and_keeps_what_is_new(lake: Lake, folder: Path) -> None:
    drain(lake)
    shutil.rmtree(lake.checkpoint("bronze_events"))
    add_batch(folder, ["later"])
    drain(lake)
    drain(lake)
    rows = lake.read(BRONZE_EVENTS).orderBy("offset").collect()
    assert [(row["offset"], row["value"]) for row in rows] == [*KEPT, (4, b"later")]


def test_a_batch_whose_commit_was_lost_is_not_appended_again(lake: Lake, folder: Path) -> None:
    drain(lake)
    last = max(Path(lake.checkpoint("bronze_events"), "commits").glob("[0-9]*"), key=lambda file: int(file.name))
    last.unlink()  # as after a crash between the append and Spark's own commit
    drain(lake)
    rows = lake.read(BRONZE_EVENTS).orderBy("offset").collect()
    assert [(row["offset"], row["value"]) for row in rows] == KEPT


def test_a_batch_that_sparks_own_sink_took_is_not_appended_again(lake: Lake, folder: Path) -> None:
    """A lake of before: its batches are noted by the sink, and one died between the append and Spark's own commit."""
    rows = bronze_events.transform(stream(lake.spark, folder)).writeStream.format("delta")
    rows = rows.option("checkpointLocation", lake.checkpoint("bronze_events")).trigger(availableNow=True)
    rows.start(lake.path(BRONZE_EVENTS)).awaitTermination()
    last = max(Path(lake.checkpoint("bronze_events"), "commits").glob("[0-9]*"), key=lambda file: int(file.name))
    last.unlink()
    add_batch(folder, ["later"])
    drain(lake)
    stored = lake.read(BRONZE_EVENTS).orderBy("offset").collect()
    assert [(row["offset"], row["value"]) for row in stored] == [*KEPT, (4, b"later")]


def test_its_files_are_put_together_between_its_batches(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_table, "FEWEST_FILES", 3)
    drain(lake)
    add_batch(folder, ["later"])
    drain(lake)
    assert len(lake.read(BRONZE_EVENTS).inputFiles()) == 1
    assert [row["value"] for row in lake.read(BRONZE_EVENTS).orderBy("offset").collect()] == [
        *(value for _, value in KEPT),
        b"later",
    ]

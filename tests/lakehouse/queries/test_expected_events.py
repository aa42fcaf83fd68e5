"""What is expected of silver.events, from a stream of files in place of Kafka: rows put aside, a query that stops, verdicts kept.

A message is a letter, its id, and the product it is about: `a1`. It is expected that nobody looks at product 9.
"""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame

from lakehouse.config import QualityConfig
from lakehouse.errors import QualityError
from lakehouse.events.parse import parse
from lakehouse.events.reasons import UNEXPECTED
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles import check
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.rebuild import bronze_records
from lakehouse.quality.data_quality import DataQuality
from lakehouse.queries import events, events_batch, silver_from_bronze, silver_writes
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from lakehouse.tables.expectation import Action, Expectation
from lakehouse.tables.quality import OPS_DATA_QUALITY
from tests.rows import RECORD, add_batch, listed, stream, track

NINE = Expectation(name="no_nine", text="no product 9", breaks="product_id = '9'", most=0.25, least_rows=4)


@pytest.fixture
def lake(lake: Lake) -> Lake:
    for table in (SILVER_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE, SILVER_SESSIONS, OPS_DATA_QUALITY):
        lake.create(table)
    return lake


def expect(patch: pytest.MonkeyPatch, action: Action) -> None:
    expecting = dataclasses.replace(SILVER_EVENTS, expectations=(dataclasses.replace(NINE, action=action),))
    for module in (events, events_batch, silver_writes, silver_from_bronze, check):
        patch.setattr(module, "SILVER_EVENTS", expecting)


def quality(lake: Lake, *, may_stop: bool = True) -> DataQuality:
    config = QualityConfig(window_seconds=60, keep_days=90, may_stop=may_stop)
    return DataQuality(lake, config, tables=[], clock=utc_now)


def send(lake: Lake, *messages: str) -> None:
    about = [track(message_id=message[0], properties={"product_id": message[1]}) for message in messages]
    add_batch(Path(lake.root).parent / "records", about)


def drain(lake: Lake, judge: DataQuality) -> list[int]:
    """How many events each batch gave on to profiles."""
    given: list[int] = []

    def take_in(leaves: DataFrame | pa.Table, once: Transaction, record: BatchRecord) -> None:
        given.append(sum(row["event_count"] for row in listed(leaves)))

    records = stream(lake.spark, Path(lake.root).parent / "records")
    parts = events_batch.Parts(quality=judge)
    events.writer(lake, records, take_in, parts=parts).trigger(availableNow=True).start().awaitTermination()
    return given


def archive(lake: Lake) -> None:
    """What was sent, in bronze."""
    records = lake.spark.read.schema(RECORD).parquet(str(Path(lake.root).parent / "records"))
    named = records.withColumnsRenamed({"timestamp": "kafka_timestamp", "arrived_at": "ingested_at"})
    lake.create(BRONZE_EVENTS)
    lake.overwrite(named, BRONZE_EVENTS)


def kept(lake: Lake) -> list[str]:
    return sorted(row["message_id"] + row["product_id"] for row in lake.read(SILVER_EVENTS).collect())


def verdicts(lake: Lake) -> list[tuple[int, int, bool | None]]:
    rows = lake.read(OPS_DATA_QUALITY).where("expectation = 'no_nine'").orderBy("window_start").collect()
    return [(row["row_count"], row["broken_count"], row["is_met"]) for row in rows]


def test_rows_that_break_an_expectation_are_put_aside_and_count_nowhere(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(monkeypatch, Action.QUARANTINE)
    send(lake, "a1", "b9", "c2", "c9")
    send(lake, "d1", "b9")
    assert drain(lake, quality(lake)) == [2, 1]
    assert kept(lake) == ["a1", "c2", "d1"]
    aside = lake.read(SILVER_EVENTS_QUARANTINE).orderBy("offset").collect()
    assert [(row["offset"], row["reason"], row["detail"]) for row in aside if row["reason"] == UNEXPECTED] == [
        (1, UNEXPECTED, "no_nine")
    ]
    assert [row["offset"] for row in aside] == [1, 3], "the second c is a conflict, and nothing else beside"
    assert verdicts(lake) == [(4, 2, False), (1, 0, None)]

    archive(lake)
    lake.create(SILVER_QUARANTINE_REPLAYS)
    judged = silver_from_bronze.transform(parse(bronze_records(lake), lake.config))
    assert sorted(row["offset"] for row in judged.accepted.collect()) == [0, 2, 4]
    assert sorted((row["offset"], row["reason"]) for row in judged.rejected.collect()) == [
        (row["offset"], row["reason"]) for row in aside
    ]
    counted = check.balance(lake)
    assert (counted.accepted, counted.quarantine, counted.repeats, counted.holds) == (3, 2, 1, True)


def test_a_query_is_stopped_before_anything_of_the_batch_is_written_and_not_started_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(monkeypatch, Action.STOP)
    judge = quality(lake)
    send(lake, "a1", "b1", "c1", "d9")
    assert drain(lake, judge) == [4], "a quarter may"
    send(lake, "e1", "f9", "g9", "h1")
    with pytest.raises(
        StreamingQueryException, match=r"QualityError: silver.events: expectation no_nine is broken by 2 of 4 rows"
    ):
        drain(lake, judge)
    assert kept(lake) == ["a1", "b1", "c1", "d9"]
    assert verdicts(lake) == [(4, 1, True), (4, 2, False)]
    with pytest.raises(QualityError, match="MAY_STOP=false lets them in"):
        judge.check()

    assert drain(lake, quality(lake, may_stop=False)) == [4]
    assert len(kept(lake)) == 8
    assert verdicts(lake)[-1] == (4, 2, False)

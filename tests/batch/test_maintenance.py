"""The command maintains every table there is, and leaves to others what they are at."""

import fcntl
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from batch import maintenance
from lakehouse.catalog import TABLES, of_part
from lakehouse.errors import BusyError, LakeError
from lakehouse.lake import delta
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import HOUSEHOLDS, PARTS
from lakehouse.lake.retention import Retention
from lakehouse.lake.transaction import Transaction
from lakehouse.maintenance import local_table
from lakehouse.queries import events
from lakehouse.queries.unfinished import Begun, forget, note
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests import small_lake

BY_SPARK = (BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE)


@pytest.fixture
def small(lake: Lake) -> Lake:
    small_lake.build(lake)
    lake.retention = Retention(keep=timedelta(), trims_log=True)
    lake.create_missing(BY_SPARK)
    return lake


def content(lake: Lake) -> dict[str, list[object]]:
    tables = {table.name: lake.batches(table) for table in TABLES.values()}
    return {
        name: sorted((row for batch in batches for row in batch.to_pylist()), key=str)
        for name, batches in tables.items()
    }


def files(lake: Lake) -> list[int]:
    return [len(lake.read(table).inputFiles()) for table in BY_SPARK]


def test_every_table_has_one_writer_and_says_the_same_in_fewer_files(
    small: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [of_part(part) for part in (None, *{*PARTS.values()})]
    assert sorted(table.name for part in parts for table in part) == sorted(TABLES)
    with monkeypatch.context() as patch:
        patch.setattr(delta, "FEW_ROWS", 0)  # by way of the driver they would be one file
        for table in BY_SPARK:  # nested, binary and decimal columns among them
            small.overwrite(small.read(table).repartition(12), table)
    said, before = content(small), files(small)
    monkeypatch.setattr(local_table, "FEWEST_FILES", 2)
    tended, failed = maintenance.maintain(small)
    assert failed == []
    assert {one.table for one in tended} == set(TABLES)
    assert content(small) == said
    assert min(before) > 1
    assert files(small) == [1, 1, 1]


def test_what_others_are_at_is_left_to_them(
    small: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(maintenance, "load", lambda: small.config)
    monkeypatch.setattr(maintenance, "get_session", lambda config, name: small.spark)
    with Path(small.root, f"_lock.{HOUSEHOLDS}").open("a+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert maintenance.main([]) == 0
    told = capsys.readouterr().out
    assert "left out: " in told
    assert "its households" in told
    assert json.loads(told.splitlines()[-1])["failed"] == []
    with Path(small.root, "_lock").open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another process writes this lake"):
            maintenance.main([])
        assert maintenance.main([maintenance.IF_FREE]) == 0
    assert "left to the process that writes" in capsys.readouterr().out


def test_no_event_goes_by_age_while_a_micro_batch_has_not_summed_it(small: Lake) -> None:
    small.config = replace(small.config, retention=replace(small.config.retention, events_days=1))
    begun = Begun(once=Transaction(application="events/run", batch_id=3), begins={"events": {"0": 1_000}})
    note(small, events.NAME, begun)
    tended, _ = maintenance.maintain(small)
    assert sum(one.aged for one in tended) == 0
    forget(small, events.NAME)
    tended, _ = maintenance.maintain(small)
    aged = {one.table: one.aged for one in tended if one.aged}
    assert aged["silver.events"] == small_lake.SILVER
    assert small.read(SILVER_EVENTS).count() == 0


def test_a_folder_that_is_no_lake_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match="expected a lake that streaming has filled"):
        maintenance.maintain(lake)

"""Where a table begins is noted before rows go, and only grows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from lakehouse.lake.beginnings import Beginning, begin, beginning, first_day, midnight
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.queries.known_records import held_by
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)


def test_how_far_a_table_had_read_is_known_when_all_of_its_rows_have_gone(lake: Lake) -> None:
    lake.create_missing([BRONZE_EVENTS, SILVER_EVENTS])
    rows = [
        {"topic": "events", "partition": partition, "offset": 40 + day, "ingested_at": NOW - timedelta(days=day)}
        for partition, day in ((0, 9), (0, 5), (0, 1), (1, 8))
    ]
    lake.add(pa.Table.from_pylist(rows, schema=arrow_schema(BRONZE_EVENTS)), BRONZE_EVENTS)
    before = held_by(lake, {"records": BRONZE_EVENTS})
    assert before == {"records": {"events": {"0": 50, "1": 49}}}

    lake.config = replace(lake.config, retention=replace(lake.config.retention, bronze_days=5))
    kept = Upkeep(lake, [BRONZE_EVENTS], clock=lambda: NOW)
    assert [one.aged for one in kept.all(is_bounded=False)] == [2], "a day goes as a whole: that of 5 days ago is kept"
    assert beginning(lake, BRONZE_EVENTS) == Beginning(day=date(2026, 3, 5), ends={"events": {"0": 50, "1": 49}})
    assert (first_day(lake, [SILVER_EVENTS]), first_day(lake, [SILVER_EVENTS, BRONZE_EVENTS])) == (
        None,
        date(2026, 3, 5),
    )
    assert held_by(lake, {"records": BRONZE_EVENTS}) == before
    assert lake.read(BRONZE_EVENTS).where("partition = 1").count() == 0
    assert kept.agings == 1


def test_a_beginning_only_grows_and_is_of_its_table(lake: Lake) -> None:
    lake.create_missing([SILVER_EVENTS_QUARANTINE])
    assert beginning(lake, SILVER_EVENTS_QUARANTINE) is None
    for day in (date(2026, 3, 5), date(2026, 3, 1)):
        begin(lake, SILVER_EVENTS_QUARANTINE, "quarantined_at", day)
        assert beginning(lake, SILVER_EVENTS_QUARANTINE) == Beginning(day=date(2026, 3, 5), ends={})
    assert first_day(lake, [BRONZE_EVENTS, SILVER_EVENTS]) is None
    assert midnight(date(2026, 3, 5)) == datetime(2026, 3, 5, tzinfo=UTC)

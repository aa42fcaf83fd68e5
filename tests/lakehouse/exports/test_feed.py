"""Who may have changed: told by gold.changes, or by the time a row was written; whatever is missed in a look is told in the next."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.errors import ExportError
from lakehouse.exports.feed import Feed, times_of
from lakehouse.exports.source import Gold
from lakehouse.lake.delta import arrow_schema
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from tests.accepted import at

TABLES = (GOLD_ACTIVATION, GOLD_CONTACTS, GOLD_AUDIENCES)
NOON = at("2026-03-01 12:00")


class Lake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON

    def write(self, name: str, schema: pa.Schema, *rows: dict[str, Any], mode: str = "append") -> None:
        write_deltalake(self.folder / "gold" / name, pa.Table.from_pylist(list(rows), schema=schema), mode=mode)

    def changes(self, *names: str, at: datetime, mode: str = "append") -> None:
        schema = pa.schema([("profile_id", pa.string()), ("changed_at", pa.timestamp("us", tz="UTC"))])
        self.write("changes", schema, *({"profile_id": name, "changed_at": at} for name in names), mode=mode)

    def contacts(self, *names: str, at: datetime) -> None:
        schema = pa.schema([("profile_id", pa.string()), ("updated_at", pa.timestamp("us", tz="UTC"))])
        self.write("contacts", schema, *({"profile_id": name, "updated_at": at} for name in names))

    def stay(self, name: str, since: datetime, to: datetime | None) -> None:
        schema = pa.schema(
            [arrow_schema(GOLD_AUDIENCES).field(one) for one in ("profile_id", "valid_from", "valid_to")]
        )
        self.write("audiences", schema, {"profile_id": name, "valid_from": since, "valid_to": to})

    def feed(self, position: dict[str, datetime]) -> Feed:
        return Feed(Gold(self.folder), TABLES, position)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    one = Lake(tmp_path)
    one.changes("ann", at=NOON)
    one.contacts("ann", at=NOON)
    one.stay("ann", NOON, None)
    return one


def test_who_was_written_since_is_told_once_whichever_table_it_was(lake: Lake) -> None:
    feed = lake.feed({})
    assert feed.look() is None, "nobody has looked"
    assert feed.look() == set()
    later = NOON + timedelta(seconds=5)
    lake.changes("bob", at=later)
    lake.contacts("cat", at=later)
    lake.stay("dan", NOON - timedelta(days=1), later)
    assert feed.look() == {"ann", "bob", "cat", "dan"}, "ann's rows have the very time of the last look"
    assert feed.look() == set()
    lake.changes("eve", at=later)
    assert feed.look() == {"bob", "eve"}, "of one micro-batch some rows are written later than others"
    again = lake.feed(dict(feed.position))
    assert again.look() == {"bob", "cat", "dan", "eve"}, (
        "a process that goes on there hears what the other may not have dealt with"
    )


def test_a_table_that_is_another_tells_of_everybody(lake: Lake) -> None:
    feed = lake.feed({})
    feed.look()
    lake.changes("ann", at=NOON - timedelta(hours=1), mode="overwrite")
    assert feed.look() is None
    assert feed.look() == set()


def test_a_clock_that_is_set_back_hides_nobody(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, clock = lake.feed({}), [NOON]
    # Of this machine it cannot be set. Other tables are not written any more.
    monkeypatch.setattr(Gold, "committed_at", lambda _, table: clock[0] if table == GOLD_CHANGES else NOON)
    feed.look()
    hour = timedelta(hours=1)
    clock[0] = NOON - hour
    lake.changes("bob", at=NOON - hour)
    assert feed.look() is None, "nobody knows who was written"
    again = lake.feed(dict(feed.position))
    clock[0] = NOON - hour + timedelta(seconds=9)
    lake.changes("cat", at=NOON - hour + timedelta(seconds=8))
    for one in (feed, again):
        told = one.look()
        assert told is not None
        assert {"bob", "cat"} <= told, "and rows from ahead of the clock are told of again"
    clock[0] = NOON + hour
    lake.changes("dan", at=NOON + hour)
    told = feed.look()
    assert told is not None
    assert "dan" in told
    lake.changes("eve", at=NOON + hour)
    assert feed.look() == {"dan", "eve"}


def test_a_look_that_fails_has_told_nothing(lake: Lake) -> None:
    feed = lake.feed({})
    feed.look()
    lake.changes("bob", at=NOON + timedelta(seconds=1))
    log = lake.folder / "gold" / "contacts" / "_delta_log"
    log.rename(log.with_name("away"))
    with pytest.raises(ExportError, match=r"gold\.contacts"):
        feed.look()
    log.with_name("away").rename(log)
    told = feed.look()
    assert told is not None
    assert "bob" in told


def test_times_of_tables() -> None:
    assert [times_of(table) for table in TABLES] == [("updated_at",), ("updated_at",), ("valid_from", "valid_to")]

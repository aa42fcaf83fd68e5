"""Tables are maintained between the batches of whoever writes them: what they say stays, what nobody needs goes.

Two lakes get the same writes, by both writers. One of them is maintained all the while, with a retention of no time at all.
"""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest

from lakehouse.lake import change_feed, delta_rs
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.retention import Retention
from lakehouse.lake.transaction import Transaction
from lakehouse.maintenance import local_table, spark_table, upkeep
from lakehouse.maintenance.local_table import target_bytes
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.tables.contract import Table, optional, required

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TABLE = Table(
    name="gold.things",
    grain="one row per thing",
    key=("thing",),
    owner="a test",
    columns=(
        required("thing", "string", "which"),
        optional("said", "bigint", "what"),
        required("at", "timestamp", "when"),
    ),
    has_change_feed=True,
)
TIMED = Table(
    name="silver.timed",
    grain="one row per thing",
    key=("thing",),
    owner="a test",
    columns=TABLE.columns,
    time_column="at",
)
PLAIN = replace(TABLE, name="silver.plain", has_change_feed=False)
TABLES = (TABLE, TIMED, PLAIN)
MEGABYTE = 2**20


def kept_for(lake: Lake, keep: timedelta) -> Lake:
    lake.retention = Retention(keep=keep, trims_log=lake.uses_delta_rs)
    lake.create_missing(TABLES)
    return lake


@pytest.fixture
def here(lake: Lake) -> Lake:
    return kept_for(lake, timedelta())


def rows(step: int, things: list[str]) -> pd.DataFrame:
    at = pd.Timestamp("2026-01-01") + pd.Timedelta(minutes=step)
    return pd.DataFrame({"thing": things, "said": step, "at": [at.as_unit("us")] * len(things)})


def write(lake: Lake, step: int, chance: random.Random) -> None:
    """One commit for each table; one of 32 by Spark."""
    things = [f"thing {chance.randrange(12)}" for _ in range(3)]
    said = rows(step, sorted({*things}))
    here = arrow(said, TABLE).append_column("is_deleted", [[chance.random() < 0.3 for _ in range(len(said))]])
    once = Transaction(application="writer", batch_id=step)
    new, timed = arrow(rows(step, [f"new {step}"]), TABLE), arrow(rows(step, [f"timed {step}"]), TIMED)
    delta_rs.append(new, PLAIN, lake.path(PLAIN), once)
    if step % 32 == 15:
        lake.append(lake.frame(new), TABLE, once)
        lake.append(lake.frame(timed), TIMED, once)
    else:
        lake.upsert(here, TABLE, deletes=True, once=once)
        delta_rs.append(timed, TIMED, lake.path(TIMED), once)


def content(lake: Lake, table: Table) -> list[tuple[object, ...]]:
    return sorted((tuple(row.values()) for batch in lake.batches(table) for row in batch.to_pylist()), key=str)


def counts(lake: Lake, table: Table) -> tuple[int, int]:
    """Data files and commits on disk."""
    folder = Path(lake.path(table))
    return len(list(folder.rglob("*.parquet"))), len(list((folder / "_delta_log").glob("0*.json")))


def test_a_maintained_lake_says_what_another_says(here: Lake, spark, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(local_table, "FEWEST_FILES", 4)
    other = Lake(spark, here.config)
    other.root = str(tmp_path / "other")
    kept_for(other, timedelta(hours=1))
    tended = Upkeep(here, TABLES)
    chances = {lake: random.Random(11) for lake in (here, other)}
    for step in range(24):
        for lake, chance in chances.items():
            write(lake, step, chance)
        before = {table: here.version(table) for table in TABLES}
        tended.pause()
        assert {table: here.version(table) for table in TABLES} == before  # what follows a table stays current
        if step % 12 == 11:
            assert [content(here, table) for table in TABLES] == [content(other, table) for table in TABLES]
    for table in TABLES:
        assert here.last_batch(table, "writer") == other.last_batch(table, "writer") == 23
        (files, commits), (all_files, all_commits) = counts(here, table), counts(other, table)
        assert files < all_files / 2
        assert commits < all_commits
    write(here, 15, random.Random(3))  # a replay
    assert [content(here, table) for table in TABLES] == [content(other, table) for table in TABLES]


def test_the_change_feed_reaches_over_what_maintenance_commits(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_table, "FEWEST_FILES", 4)
    kept_for(here, timedelta(hours=1))
    tended, chance = Upkeep(here, [TABLE]), random.Random(5)
    before, after = {}, change_feed.number(here, TABLE)
    for step in range(20):
        write(here, step, chance)
        tended.pause()
        if step % 5 == 4:
            now = {row[0]: row[1] for row in content(here, TABLE)}
            told = change_feed.touched(here, TABLE, after=after, to=change_feed.number(here, TABLE))
            assert told is not None
            heard = dict(zip(told["thing"], told["is_there"], strict=True))
            assert {thing for thing in {*before, *now} if before.get(thing) != now.get(thing)} <= set(heard)
            assert {thing for thing, is_there in heard.items() if is_there} <= set(now)
            before, after = now, change_feed.number(here, TABLE)


def test_past_the_retention_the_feed_says_that_it_cannot_say(here: Lake) -> None:
    start, chance = change_feed.number(here, TABLE), random.Random(5)
    for step in range(24):
        write(here, step, chance)
    Upkeep(here, [TABLE]).all(is_bounded=False)
    end = change_feed.number(here, TABLE)
    assert change_feed.touched(here, TABLE, after=start, to=end) is None
    assert change_feed.touched(here, TABLE, after=end, to=end) is not None


def test_what_fails_is_tried_again_in_the_next_turn_and_changes_nothing(
    here: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_table, "FEWEST_FILES", 4)
    chance = random.Random(2)
    for step in range(30):
        write(here, step, chance)
    said, files = content(here, TABLE), counts(here, TABLE)
    tended = Upkeep(here, [TABLE])

    def full(path: str) -> int:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(local_table, "vacuum", full)
        tended.pause()
    assert "gold.things: maintenance failed" in caplog.text
    assert content(here, TABLE) == said
    tended.pause()
    assert content(here, TABLE) == said
    assert counts(here, TABLE) < files


def test_a_table_takes_one_turn_and_is_swept_now_and_then(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_for(here, timedelta(hours=1))
    looked, swept, now = [], [], NOW
    monkeypatch.setattr(local_table, "compact", lambda table, path, most_bytes: (looked.append(table), (0, 0))[1])
    monkeypatch.setattr(local_table, "vacuum", lambda path: (swept.append(path), 0)[1])
    tended = Upkeep(here, [TABLE, TIMED], clock=lambda: now)
    for _ in range(3):
        tended.pause()
    assert looked == [TABLE, TIMED, TABLE]
    assert swept == [here.path(TABLE), here.path(TIMED)]
    now += upkeep.SWEEP_EVERY
    tended.pause()
    assert swept[2:] == [here.path(TIMED)]


def test_rows_go_when_they_are_older_than_they_are_kept_and_by_default_none_does(here: Lake) -> None:
    table = replace(PLAIN, name="silver.aging", ages=("at", "decision_log_days"))
    here.create_missing([table])
    for day in range(8):
        at = NOW - timedelta(days=day, hours=1)
        row = {"thing": [f"{day}"], "said": [day], "at": [pd.Timestamp(at).tz_localize(None).as_unit("us")]}
        here.add(arrow(pd.DataFrame(row), table), table)
    whole = content(here, table)

    def tended(clock: datetime) -> list[int]:
        return [one.aged for one in Upkeep(here, [table, PLAIN], clock=lambda: clock).all(is_bounded=False)]

    assert tended(NOW) == [0, 0]
    here.config = replace(here.config, retention=replace(here.config.retention, decision_log_days=5))
    assert tended(NOW) == [3, 0]
    assert content(here, table) == [row for row in whole if str(row[0]) < "5"]
    version = here.version(table)
    assert tended(NOW + timedelta(hours=12)) == [0, 0], "a day goes as a whole"
    assert here.version(table) == version
    assert tended(NOW + timedelta(days=2)) == [2, 0]


def test_small_files_that_are_too_much_for_a_pause_are_told_once_and_left_to_the_command(
    here: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_table, "FEWEST_FILES", 4)
    chance = random.Random(2)
    for step in range(24):
        write(here, step, chance)
    tended = Upkeep(here, [TIMED, TABLE])
    tended._pause_bytes = 10
    for _ in range(4):
        tended.pause()
    assert caplog.text.count("silver.timed: ") == 1
    assert "run ./spark-submit.sh batch/maintenance.py" in caplog.text
    files = len(here.read(TIMED).inputFiles())
    assert [one.left for one in tended.all(is_bounded=False)] == [0, 0]
    assert len(here.read(TIMED).inputFiles()) < files


def test_nothing_is_maintained_while_somebody_writes(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Table] = []
    monkeypatch.setattr(local_table, "compact", lambda table, path, most_bytes: (looked.append(table), (0, 0))[1])
    tended = Upkeep(here, [TABLE])
    with tended.turn:
        idle = Thread(target=tended.while_idle)
        idle.start()
        idle.join()
    assert looked == []
    tended.while_idle()
    assert looked == [TABLE]


def test_streams_leave_it_when_the_configuration_says_so(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    here.config = replace(here.config, maintenance=replace(here.config.maintenance, beside_streams=False))
    monkeypatch.setattr(local_table, "compact", lambda *_, **__: pytest.fail("looked at"))
    Upkeep(here, [TABLE]).pause()


@pytest.mark.parametrize(
    ("sizes", "most", "target"),
    [
        ([MEGABYTE // 2] * 15, None, None),  # few
        ([MEGABYTE // 2] * 16, 8 * MEGABYTE, 32 * MEGABYTE),
        ([MEGABYTE // 2] * 16 + [20 * MEGABYTE] * 9, 8 * MEGABYTE, 16 * MEGABYTE),
        ([MEGABYTE // 2] * 16 + [20 * MEGABYTE] * 9, None, 32 * MEGABYTE),
        ([MEGABYTE // 2] * 17, 8 * MEGABYTE, None),  # too much
        ([64 * MEGABYTE] * 100, None, None),
    ],
)
def test_files_are_put_together_up_to_the_size_a_pause_allows(
    sizes: list[int], most: int | None, target: int | None
) -> None:
    assert target_bytes(sizes, most) == target


def test_spark_maintains_where_delta_rs_does_not_write(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_table, "MOST_SMALL", 1)
    lake.root = f"{lake.root}/50%20"
    lake.uses_delta_rs = False
    lake.retention = Retention(keep=timedelta(), trims_log=False)
    lake.create(TABLE)
    for step in range(2):
        once = Transaction(application="writer", batch_id=step)
        lake.append(lake.frame(arrow(rows(step, [f"new {step}"]), TABLE)), TABLE, once)
    said, version = content(lake, TABLE), lake.version(TABLE)
    tended = Upkeep(lake, [TABLE])
    tended.pause()
    assert lake.commit(TABLE) > int(version.rpartition("@")[2])
    assert len(list(Path(lake.path(TABLE)).glob("*.parquet"))) > 1  # a pause deletes nothing there
    Upkeep(lake, [TABLE]).all(is_bounded=False)
    assert len(list(Path(lake.path(TABLE)).glob("*.parquet"))) == 1
    assert (content(lake, TABLE), lake.version(TABLE), lake.last_batch(TABLE, "writer")) == (said, version, 1)

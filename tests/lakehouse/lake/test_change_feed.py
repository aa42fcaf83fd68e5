"""What Delta's change feed says, on both engines, against two versions of the table read side by side."""

import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lakehouse.config import Config, LakeConfig
from lakehouse.lake import change_feed
from lakehouse.lake.delta import Lake
from lakehouse.tables.contract import Table, optional, required

TABLE = Table(
    name="gold.things",
    grain="one row per thing",
    key=("thing",),
    owner="a test",
    columns=(required("thing", "string", "which"), optional("said", "bigint", "what")),
    has_change_feed=True,
)
PLAIN = replace(TABLE, has_change_feed=False)


@pytest.fixture(params=["lake", "50%20"])
def lake(spark, config: Config, tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    """By delta-rs, and by Spark: a per cent sign is what delta-rs cannot take."""
    lake = Lake(spark, replace(config, lake=LakeConfig(root=str(tmp_path / request.param), keep_hours=1)))
    assert lake.uses_delta_rs == (request.param == "lake")
    return lake


def state(lake: Lake) -> dict[str, int | None]:
    return {row["thing"]: row["said"] for row in lake.read(TABLE).collect()}


def rows(lake: Lake, said: dict[str, int], gone: set[str]):  # type: ignore[no-untyped-def]
    together = [(thing, value, False) for thing, value in said.items()] + [(thing, None, True) for thing in gone]
    return lake.spark.createDataFrame(together, "thing string, said bigint, is_deleted boolean")


def test_it_says_what_two_versions_side_by_side_say(lake: Lake) -> None:
    lake.create(TABLE)
    chance = random.Random(5)
    before, after = state(lake), change_feed.number(lake, TABLE)
    for step in range(5):
        things = chance.sample("abcdefgh", 4)
        said = {thing: chance.randrange(3) for thing in things[:3]}
        if step == 3:
            lake.overwrite(rows(lake, said, set()), TABLE)
        else:
            when = "stored.said IS DISTINCT FROM new.said"
            lake.upsert(rows(lake, said, {things[3]}), TABLE, update_when=when, deletes=True)
        if step in (0, 3, 4):  # steps 1 and 2 are heard of only after 3
            now = change_feed.number(lake, TABLE)
            told = change_feed.touched(lake, TABLE, after=after, to=now)
            assert told is not None
            heard = dict(zip(told["thing"], told["is_there"], strict=True))
            there = state(lake)
            differs = {thing for thing in {*before, *there} if before.get(thing, -1) != there.get(thing, -1)}
            assert differs <= set(heard)
            assert {thing for thing, is_there in heard.items() if is_there} <= set(there)
            assert {thing for thing, is_there in heard.items() if not is_there}.isdisjoint(there)
            if step in (0, 4):
                assert set(heard) == differs
            before, after = there, now


def test_a_table_that_was_made_without_a_feed_gets_one_and_says_so_of_what_was_before(lake: Lake) -> None:
    lake.create(PLAIN)
    lake.upsert(rows(lake, {"a": 1}, set()).drop("is_deleted"), PLAIN)
    made = change_feed.number(lake, TABLE)
    for _ in range(2):
        lake.create(TABLE)
    switched_on = change_feed.number(lake, TABLE)
    assert switched_on == made + 1
    lake.upsert(rows(lake, {"b": 2}, set()).drop("is_deleted"), TABLE)
    told = change_feed.touched(lake, TABLE, after=switched_on, to=switched_on + 1)
    assert told is not None
    assert told.to_dict("records") == [{"thing": "b", "is_there": True}]


def test_it_reaches_no_further_back_than_its_files(lake: Lake) -> None:
    lake.create(TABLE)
    start = change_feed.number(lake, TABLE)
    for said in (1, 2, 3):
        lake.upsert(rows(lake, {"a": said}, set()).drop("is_deleted"), TABLE)
    for file in Path(lake.path(TABLE)).rglob("*.parquet"):
        if file.name not in {Path(path).name for path in lake.read(TABLE).inputFiles()}:
            file.unlink()
    end = change_feed.number(lake, TABLE)
    assert change_feed.touched(lake, TABLE, after=start, to=end) is None
    assert change_feed.touched(lake, TABLE, after=end, to=end) is not None


def test_a_row_that_a_commit_replaced_is_there() -> None:
    noted = pd.DataFrame(
        [("a", "insert", 4), ("a", "delete", 4), ("b", "delete", 5), ("b", "insert", 4), ("c", "update_preimage", 4)],
        columns=["thing", "_change_type", "_commit_version"],
    )
    noted = pd.concat([noted, noted[4:].assign(_change_type="update_postimage")])
    told = change_feed.last_state(noted, ["thing"])
    assert dict(zip(told["thing"], told["is_there"], strict=True)) == {"a": True, "b": False, "c": True}

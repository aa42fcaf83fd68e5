"""What Delta's change feed says, on both engines, against two versions of the table read side by side."""

import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

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


@pytest.fixture(params=["delta-rs", "spark"])
def lake(lake: Lake, request: pytest.FixtureRequest) -> Lake:
    """With each of its writers; the table is there, made by delta-rs, whom that costs nothing."""
    lake.create(PLAIN if "without_a_feed" in request.node.name else TABLE)
    lake.uses_delta_rs = request.param == "delta-rs"
    return lake


def state(lake: Lake) -> dict[str, int | None]:
    """As somebody without Spark reads it."""
    rows = DeltaTable(lake.path(TABLE)).to_pyarrow_table().to_pylist()
    return {row["thing"]: row["said"] for row in rows}


def rows(lake: Lake, said: dict[str, int], gone: set[str]) -> DataFrame:
    things = [*said, *gone]
    told = {"thing": pa.array(things), "said": pa.array([said.get(thing) for thing in things], pa.int64())}
    return lake.frame(pa.table(told | {"is_deleted": pa.array([thing in gone for thing in things], pa.bool_())}))


def test_it_says_what_two_versions_side_by_side_say(lake: Lake) -> None:
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
    start = change_feed.number(lake, TABLE)
    for said in (1, 2, 3):
        lake.upsert(rows(lake, {"a": said}, set()).drop("is_deleted"), TABLE)
    there = {Path(path).name for path in DeltaTable(lake.path(TABLE)).file_uris()}
    for file in Path(lake.path(TABLE)).rglob("*.parquet"):
        if file.name not in there:
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

"""gold.changes: told once, wherever the writer dies, and read on by Spark and delta-rs."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.profiles.check import check_profiles
from lakehouse.profiles.derivation import GoldRows
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import Rebuilt
from lakehouse.profiles.repair import overwrite
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests.accepted import at, event, few_leaves, once
from tests.small_lake import copy_empty_tables

NOW = at("2026-03-01 00:00")
TWO_DEVICES = [
    event("m1", "2026-02-01 10:00", anonymous_id="phone"),
    event("m2", "2026-02-02 10:00", anonymous_id="laptop"),
]
ONE_LOGIN = [
    event("m3", "2026-02-03 10:00", anonymous_id="phone", user_id="ann"),
    event("m4", "2026-02-03 11:00", anonymous_id="laptop", user_id="ann"),
]
Told = list[tuple[str, str, str | None]]


class Died(Exception):
    """The driver died."""


def started(lake: Lake, now: Any = NOW) -> MicroBatch:
    """A driver that has just started: it looks whether something was left undone."""
    copy_empty_tables(lake)
    batch = MicroBatch(lake, Champions(lake.config), clock=lambda: now)
    batch.catch_up()
    return batch


def feed(batch: MicroBatch, batch_id: int, rows: list[dict[str, Any]]) -> None:
    batch(few_leaves(batch.lake, rows), once(batch_id))


def told(lake: Lake, after: int = -1) -> Told:
    """As somebody without Spark reads them."""
    rows = DeltaTable(lake.path(GOLD_CHANGES)).to_pyarrow_table().to_pylist()
    return sorted((row["profile_id"], row["kind"], row["merged_into"]) for row in rows if row["version"] > after)


def newest(lake: Lake) -> int:
    return max(DeltaTable(lake.path(GOLD_CHANGES)).to_pyarrow_table()["version"].to_pylist(), default=-1)


def gold(lake: Lake, version: int) -> dict[str, Any]:
    rows = DeltaTable(lake.path(GOLD_ACTIVATION), version=version).to_pyarrow_table().to_pylist()
    return {row["profile_id"]: row for row in rows}


def each_change_is_told_once(lake: Lake) -> None:
    """From one version told to the next exactly those differ in gold that were told of."""
    rows = DeltaTable(lake.path(GOLD_CHANGES)).to_pyarrow_table().to_pylist()
    before: dict[str, Any] = {}
    versions = sorted({row["version"] for row in rows})
    for version in versions:
        now = gold(lake, version)
        differs = {name: name in now for name in {*before, *now} if before.get(name) != now.get(name)}
        heard = [(row["profile_id"], row["kind"] == "upserted") for row in rows if row["version"] == version]
        assert sorted(heard) == sorted(differs.items())
        before = now
    assert before == gold(lake, DeltaTable(lake.path(GOLD_ACTIVATION)).version())


def test_a_merge_says_what_the_younger_profile_is_part_of_and_a_replay_or_a_restart_says_nothing(lake: Lake) -> None:
    batch = started(lake)
    feed(batch, 0, TWO_DEVICES)
    first = told(lake)
    assert [(kind, into) for _, kind, into in first] == [("upserted", None)] * 2
    (phone, laptop) = [event["actor_id"] for event in TWO_DEVICES]
    assert {name for name, _, _ in first} == {phone, laptop}
    seen = newest(lake)
    feed(batch, 1, ONE_LOGIN)
    assert told(lake, seen) == sorted([(phone, "upserted", None), (laptop, "merged", phone)])
    whole = told(lake)
    feed(batch, 1, ONE_LOGIN)
    feed(started(lake), 1, ONE_LOGIN)
    started(lake)
    assert told(lake) == whole
    each_change_is_told_once(lake)


def dying(effect: Callable[..., None], *, before: bool) -> Callable[..., None]:
    """The effect on gold.changes or gold.activation, by a driver that dies at it."""

    def act(self: Lake, rows: Any, table: Any, **named: Any) -> None:
        dies = table in (GOLD_CHANGES, GOLD_ACTIVATION)
        if dies and before:
            raise Died
        effect(self, rows, table, **named)
        if dies:
            raise Died

    return act


@pytest.fixture(scope="module")
def of_two_devices(new_lake: Callable[[str], Lake]) -> Lake:
    """To be copied, not written."""
    feed(started(lake := new_lake("changes")), 0, TWO_DEVICES)
    return lake


@pytest.mark.parametrize("name", ["add", "upsert"])
@pytest.mark.parametrize("before", [True, False])
def test_a_driver_that_dies_at_gold_or_at_telling_of_it_tells_all_of_it_once(
    lake: Lake, of_two_devices: Lake, monkeypatch: pytest.MonkeyPatch, name: str, *, before: bool
) -> None:
    shutil.copytree(of_two_devices.root, lake.root)
    with monkeypatch.context() as patched:
        patched.setattr(Lake, name, dying(getattr(Lake, name), before=before))
        with pytest.raises(Died):
            feed(MicroBatch(lake, Champions(lake.config), clock=lambda: NOW), 1, ONE_LOGIN)
    feed(started(lake), 1, ONE_LOGIN)
    each_change_is_told_once(lake)
    assert ("merged", TWO_DEVICES[0]["actor_id"]) in [(kind, into) for _, kind, into in told(lake)]


def nobody(lake: Lake) -> Rebuilt:
    """What a rebuild of an empty silver.events says of whom there is; what else it says is nothing to gold.changes."""
    none = lake.frame(arrow_schema(SILVER_IDENTITY_MAP).empty_table())
    profiles = none.selectExpr("profile_id", "first_seen_at AS as_of")
    moment = lake.frame(pa.table({"now": pa.array([NOW], pa.timestamp("us", tz="UTC"))}))
    activation = lake.frame(arrow_schema(GOLD_ACTIVATION).empty_table()).select(*GOLD_ACTIVATION.given_columns)
    gold = GoldRows(profiles=profiles, now=moment, silver={}, tables={GOLD_ACTIVATION: activation})
    return Rebuilt(silver={SILVER_IDENTITY_MAP: none}, gold=gold)


def test_a_rebuild_says_that_everybody_may_have_changed(lake: Lake) -> None:
    batch = started(lake)
    feed(batch, 0, [*TWO_DEVICES, event("m5", "2026-02-04 10:00", anonymous_id="tv")])
    seen, rebuilt = newest(lake), nobody(lake)
    overwrite(lake, rebuilt, now=NOW)
    assert [kind for _, kind, _ in told(lake, seen)] == ["gone"] * 3
    assert {d.table: d.total for d in check_profiles(lake, rebuilt)}[GOLD_CHANGES.name] == 0
    DeltaTable(lake.path(GOLD_CHANGES)).delete("kind = 'gone'")
    assert {d.table: d.total for d in check_profiles(lake, rebuilt)}[GOLD_CHANGES.name] == 3


def test_another_table_in_the_same_place_tells_of_everybody_once(lake: Lake) -> None:
    batch = started(lake)
    feed(batch, 0, TWO_DEVICES)
    seen = newest(lake)
    other = lake.read(GOLD_CHANGES).withColumn("version", F.lit(1000))  # of a table that stood here before
    lake.overwrite(other, GOLD_CHANGES)
    for days in (1, 2):
        started(lake, NOW + timedelta(days=days))
    feed(started(lake, NOW + timedelta(days=3)), 1, [event("m5", "2026-02-04 10:00", anonymous_id="tv")])
    versions = DeltaTable(lake.path(GOLD_CHANGES)).to_pyarrow_table()["version"].to_pylist()
    assert sorted(versions) == [seen, seen, seen + 1, 1000, 1000]


def test_spark_reads_on_each_row_once_past_tidying_and_letting_go(lake: Lake) -> None:
    feed(batch := started(lake), 0, TWO_DEVICES)
    read: list[tuple[str, str]] = []

    def take(rows: DataFrame, _: int) -> None:
        read.extend((row["profile_id"], row["kind"]) for row in rows.collect())

    def read_on() -> list[tuple[str, str]]:
        read.clear()
        stream = lake.spark.readStream.format("delta").option("skipChangeCommits", "true")
        query = (
            stream.load(lake.path(GOLD_CHANGES))
            .writeStream.option("checkpointLocation", f"{lake.root}/reader")
            .foreachBatch(take)
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
        return sorted(read)

    (phone, laptop) = [event["actor_id"] for event in TWO_DEVICES]
    assert read_on() == sorted([(phone, "upserted"), (laptop, "upserted")])
    feed(batch, 1, ONE_LOGIN)
    DeltaTable(lake.path(GOLD_CHANGES)).optimize.compact()
    assert read_on() == sorted([(phone, "upserted"), (laptop, "merged")])
    days = lake.config.profiles.changes_days + 1
    later = started(lake, NOW + timedelta(days=days))
    feed(later, 2, [event("m5", "2026-02-04 10:00", anonymous_id="phone")])
    assert [kind for _, kind, _ in told(lake)] == ["upserted"]  # what was told before is let go
    assert [kind for _, kind in read_on()] == ["upserted"]

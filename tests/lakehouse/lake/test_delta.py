from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType

from lakehouse.config import Config, LakeConfig
from lakehouse.errors import ContractError, StitchlakeError
from lakehouse.lake import delta
from lakehouse.lake.delta import Lake, arrow, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES


def traits(lake: Lake, *rows: tuple[str, str, str, str]):  # type: ignore[no-untyped-def]
    frame = pd.DataFrame(rows, columns=["actor_id", "trait", "value", "seen_at"])
    told = frame.assign(seen_at=pd.to_datetime(frame["seen_at"]), source=None)
    return lake.frame(arrow(told, SILVER_PERSONAL_TRAITS))


def stored(lake: Lake) -> list[tuple[str, str]]:
    rows = lake.read(SILVER_PERSONAL_TRAITS).orderBy("actor_id", "value").collect()
    return [(row["actor_id"], row["value"]) for row in rows]


def written(lake: Lake) -> list[tuple[str, str]]:
    """The same, as somebody without Spark reads it: in a few milliseconds."""
    rows = DeltaTable(lake.path(SILVER_PERSONAL_TRAITS)).to_pyarrow_table().to_pylist()
    return sorted((row["actor_id"], row["value"]) for row in rows)


def test_a_relative_root_is_a_folder_not_a_table_name(
    spark, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake(spark, Config(**{**vars(config), "lake": LakeConfig(root="lake", keep_hours=1)}))
    lake.create(GOLD_SEGMENTS)
    assert (tmp_path / "lake" / "gold" / "segments" / "_delta_log").is_dir()


@pytest.mark.parametrize("name", ["my lake #1", "sea+süd", "50%20"])
def test_a_root_with_blanks_and_signs_is_a_folder_like_any_other(
    spark, config: Config, tmp_path: Path, name: str
) -> None:
    lake = Lake(spark, Config(**{**vars(config), "lake": LakeConfig(root=str(tmp_path / name), keep_hours=1)}))
    lake.create(SILVER_PERSONAL_TRAITS)
    for value in ("a", "b"):
        lake.upsert(traits(lake, ("ann", "email", value, "2026-01-31")), SILVER_PERSONAL_TRAITS)
    assert stored(lake) == [("ann", "b")]


def test_a_lake_that_is_not_there_is_said_in_one_line(lake: Lake) -> None:
    with pytest.raises(StitchlakeError, match=r"no such table.*demo"):
        lake.read(GOLD_SEGMENTS)


@pytest.mark.parametrize("are_few", [True, False])
def test_the_same_batch_is_appended_once(lake: Lake, are_few: bool) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    ann = traits(lake, ("ann", "email", "a@x.org", "2026-01-31"))
    for batch_id in (3, 3, 4):
        once = Transaction(application="test", batch_id=batch_id)
        lake.append(ann, SILVER_PERSONAL_TRAITS, once, are_few=are_few)
        are_few = not are_few  # what one has taken the other knows
    assert stored(lake) == [("ann", "a@x.org")] * 2


def test_an_upsert_sets_inserts_and_deletes_by_key(lake: Lake) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    first = traits(lake, ("ann", "email", "old", "2026-01-01"), ("bob", "email", "gone", "2026-01-01"))
    lake.overwrite(first, SILVER_PERSONAL_TRAITS)
    new = traits(
        lake,
        ("ann", "email", "new", "2026-01-02"),
        ("bob", "email", "any", "2026-01-02"),
        ("cat", "email", "never", "2026-01-02"),
        ("dan", "email", "added", "2026-01-02"),
    )
    lake.upsert(new.selectExpr("*", "actor_id IN ('bob', 'cat') AS is_deleted"), SILVER_PERSONAL_TRAITS, deletes=True)
    assert stored(lake) == [("ann", "new"), ("dan", "added")]


@pytest.fixture(params=["delta-rs", "spark"])
def either(request: pytest.FixtureRequest, lake: Lake) -> Lake:
    """The lake with each of its two writers. The tables are there: delta-rs has made them, whom that costs nothing."""
    lake.create_missing([SILVER_PERSONAL_TRAITS, SILVER_IDENTITY_EDGES])
    lake.uses_delta_rs = request.param == "delta-rs"
    return lake


def test_a_transaction_is_taken_once_by_each_table_and_no_other_write_is_taken_for_it(either: Lake) -> None:
    lake = either

    def set_to(value: str, application: str | None, batch_id: int = 0) -> str:
        once = None if application is None else Transaction(application=application, batch_id=batch_id)
        lake.upsert(traits(lake, ("ann", "email", value, "2026-01-31")), SILVER_PERSONAL_TRAITS, once=once)
        ((_, found),) = written(lake)
        return found

    assert set_to("a", "one", 3) == "a"
    assert [set_to(value, "one", batch_id) for value, batch_id in (("b", 3), ("c", 2))] == ["a", "a"]
    assert set_to("d", None) == "d"  # the next write is not noted as the last one was
    assert set_to("e", "other", 3) == "e"
    assert set_to("f", "one", 4) == "f"
    lake.uses_delta_rs = not lake.uses_delta_rs  # what one writer noted the other has had
    assert set_to("g", "one", 4) == "f"
    assert [lake.last_batch(SILVER_PERSONAL_TRAITS, writer) for writer in ("one", "other", "third")] == [4, 3, -1]


def test_what_is_overwritten_holds_the_batch_it_says(either: Lake) -> None:
    lake, table = either, SILVER_PERSONAL_TRAITS
    for value, batch_id in (("a", 2), ("b", 2), ("c", 1)):  # also where the table has had it
        has = Transaction(application="one", batch_id=batch_id)
        lake.overwrite(traits(lake, ("ann", "email", value, "2026-01-31")), table, has=has)
        assert written(lake) == [("ann", value)]
    lake.append(traits(lake, ("bob", "email", "b", "2026-01-31")), table, Transaction(application="one", batch_id=2))
    assert stored(lake) == [("ann", "c")]


def test_few_rows_and_many_are_replaced_alike(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    DeltaTable(lake.path(SILVER_PERSONAL_TRAITS)).alter.add_columns(Field("was_declared", PrimitiveType("string")))
    first, second = traits(lake, ("ann", "email", "a", "2026-01-31")), traits(lake, ("bob", "email", "b", "2026-01-31"))
    has = Transaction(application="one", batch_id=1)
    told = []
    for few in (1, 0):  # rows
        monkeypatch.setattr(delta, "FEW_ROWS", few)
        lake.overwrite(first, SILVER_PERSONAL_TRAITS)
        lake.overwrite(second, SILVER_PERSONAL_TRAITS, has=has)
        told.append(DeltaTable(lake.path(SILVER_PERSONAL_TRAITS)).to_pyarrow_table().to_pylist())
        assert stored(lake) == written(lake) == [("bob", "b")]
        assert lake.last_batch(SILVER_PERSONAL_TRAITS, "one") == 1
    assert told[0] == told[1]
    assert told[0][0]["was_declared"] is None
    engines = [commit.get("engineInfo", "") for commit in DeltaTable(lake.path(SILVER_PERSONAL_TRAITS)).history(4)]
    assert [engine.startswith("Apache-Spark") for engine in engines] == [True, True, False, False]


def test_both_writers_upsert_alike(either: Lake) -> None:
    newer = "new.seen_at > stored.seen_at"
    first = traits(either, ("ann", "email", "a", "2026-01-05"), ("bob", "email", "b", "2026-01-05"))
    either.upsert(first, SILVER_PERSONAL_TRAITS, update_when=newer)
    second = traits(either, ("ann", "email", "late", "2026-01-01"), ("bob", "email", "c", "2026-01-06"))
    for _ in range(2):
        either.upsert(second, SILVER_PERSONAL_TRAITS, update_when=newer)
    assert written(either) == [("ann", "a"), ("bob", "c")]
    gone = traits(either, ("ann", "email", "x", "2026-01-07")).selectExpr("*", "true AS is_deleted")
    either.upsert(gone, SILVER_PERSONAL_TRAITS, deletes=True)
    assert stored(either) == [("bob", "c")]


def test_both_writers_add_find_and_clear_rows_alike(either: Lake) -> None:
    table = SILVER_PERSONAL_TRAITS
    versions = [either.version(table)]
    days = {"ann": "2026-01-05", "bob": "2026-01-06", "cat": "2026-01-06"}
    either.add(traits(either, *((name, "email", name, day) for name, day in days.items())).toArrow(), table)
    versions.append(either.version(table))
    assert sum(batch.num_rows for batch in either.batches(table)) == 3
    found = either.rows_with(table, "actor_id", {"ann", "cat", "nobody"})
    assert sorted(found["value"].to_pylist()) == ["ann", "cat"]
    assert sorted(either.newest_rows(table, "seen_at")["value"].to_pylist()) == ["bob", "cat"]
    either.clear(table)
    versions.append(either.version(table))
    assert written(either) == []
    assert either.rows_with(table, "actor_id", {"ann"}).num_rows == 0
    assert either.newest_rows(table, "seen_at").num_rows == 0
    assert len(set(versions)) == 3


def edges(*rows: tuple[str, str, int, float]) -> pa.Table:
    columns = ["actor_id", "identifier_token", "first_seen_at", "weight"]
    frame = pd.DataFrame(rows, columns=columns).assign(identifier_type="match", kind="probabilistic")
    seen = pd.Timestamp("2026-01-05 00:00:00.123456") + pd.to_timedelta(frame["first_seen_at"], unit="D")
    return arrow(frame.assign(first_seen_at=seen.astype("datetime64[us]")), SILVER_IDENTITY_EDGES)


@pytest.mark.parametrize("first_writer", ["delta-rs", "spark"])
def test_both_writers_set_rows_where_they_are_stored(either: Lake, first_writer: str) -> None:
    table = SILVER_IDENTITY_EDGES
    first = edges(("ann", "x", 1, 1.0), ("bob", "x", 5, 1.0), ("cat", "y", 9, 1.0))
    if first_writer == "spark":
        either.overwrite(either.frame(first), table)
    else:
        either.add(first, table)
    either.add(edges(("dan", "y", 30, 1.0)), table)
    rows = edges(("ann", "x", 0, 2.0), ("bob", "x", 5, 2.0))
    rows = rows.append_column("is_deleted", pa.array([False, True]))
    for _ in range(2):  # the second time finds ann elsewhere and bob gone
        either.upsert(rows, table, deletes=True, stored_at=first["first_seen_at"].combine_chunks()[:2])
    found = either.read(table).orderBy("actor_id").select("actor_id", "weight").collect()
    assert [tuple(row) for row in found] == [("ann", 2.0), ("cat", 1.0), ("dan", 1.0)]


def test_rows_that_a_merge_wrote_are_found_by_text(lake: Lake) -> None:
    table = SILVER_PERSONAL_TRAITS
    lake.create(table)
    for value in ("a", "b"):
        lake.upsert(traits(lake, ("ann", "email", value, "2026-01-05")), table)
    assert lake.rows_with(table, "actor_id", {"ann"})["value"].to_pylist() == ["b"]


def test_a_null_where_the_contract_has_none_is_refused(lake: Lake) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    rows = traits(lake, ("ann", "email", "a", "2026-01-05")).selectExpr(
        "CAST(NULL AS STRING) AS actor_id", "trait", "value", "seen_at", "source"
    )
    with pytest.raises(ContractError, match=r"silver\.personal_traits.*actor_id"):
        lake.upsert(rows, SILVER_PERSONAL_TRAITS)


def test_a_missing_column_is_named(lake: Lake) -> None:
    frame = traits(lake, ("ann", "email", "a@x.org", "2026-01-31")).drop("value")
    with pytest.raises(ContractError, match=r"silver\.personal_traits.*'value'"):
        conform(frame, SILVER_PERSONAL_TRAITS)

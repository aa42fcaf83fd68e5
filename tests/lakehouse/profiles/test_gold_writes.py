"""What gold says of some profiles, written by one code for every grain: rows set, rows gone removed, validity kept."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver
from lakehouse.profiles.gold_writes import write
from lakehouse.tables.contract import optional, required, write_time
from tests.accepted import at

ID = required("profile_id", "string", "profile")
PRODUCT = required("product_id", "string", "product")
COUNT = required("count", "bigint", "how often")


def nothing(silver_identity_map: DataFrame) -> DataFrame:
    return silver_identity_map


def table(name: str, key: tuple[str, ...], *columns: Any) -> ProfileTable:
    return ProfileTable(name=f"gold.{name}", grain="one row", key=key, columns=columns, transform=nothing)


PER_PROFILE = table("per_profile", ("profile_id",), ID, COUNT, write_time("computed_at", "time"))
PER_PRODUCT = table("per_product", ("profile_id", "product_id"), ID, PRODUCT, COUNT)
VALIDITY = (required("valid_from", "timestamp", "from"), optional("valid_to", "timestamp", "to"))
PER_VALIDITY = table("per_validity", ("profile_id", "valid_from"), ID, required("name", "string", "name"), *VALIDITY)
REVISED = ProfileTable(
    name="gold.revised",
    grain="one row",
    key=("profile_id", "valid_from"),
    columns=(
        ID,
        required("name", "string", "name"),
        required("version", "string", "who says so"),
        optional("until", "bigint", "for how long"),
        *VALIDITY,
    ),
    transform=nothing,
    revised=("version",),
    passing=("until",),
)
FIRST, SECOND = at("2026-03-01 00:00"), at("2026-03-02 00:00")
FINER = {are_few: replace(PER_PRODUCT, name=f"gold.finer_{are_few}".lower(), reads=()) for are_few in (True, False)}
ALIKE = {are_few: replace(REVISED, name=f"gold.revised_{are_few}".lower(), reads=()) for are_few in (True, False)}
COARSE = {are_few: replace(PER_PROFILE, name=f"gold.coarse_{are_few}".lower(), reads=()) for are_few in (True, False)}
TABLES = (PER_PROFILE, PER_PRODUCT, PER_VALIDITY, REVISED, *FINER.values(), *ALIKE.values(), *COARSE.values())


@pytest.fixture(scope="module")
def empty_tables(new_lake: Callable[[str], Lake]) -> Lake:
    """The tables, made by delta-rs: to copy their files costs nothing, and to ask Spark for each a second."""
    (lake := new_lake("gold")).create_missing(TABLES)
    return lake


def copied(tables: Lake, lake: Lake, writer: str) -> Lake:
    shutil.copytree(tables.root, lake.root)
    lake.uses_delta_rs = writer == "delta-rs"
    return lake


@pytest.fixture(params=["delta-rs", "spark"])
def written(lake: Lake, empty_tables: Lake, request: pytest.FixtureRequest) -> Lake:
    return copied(empty_tables, lake, request.param)


@pytest.fixture(params=["delta-rs few", "delta-rs many", "spark many"])
def way(lake: Lake, empty_tables: Lake, request: pytest.FixtureRequest) -> tuple[Lake, bool]:
    """A lake, and whether the rows are few. That Spark writes few as it writes many, the last test says."""
    writer, _, rows = request.param.partition(" ")
    return copied(empty_tables, lake, writer), rows == "few"


def say(
    lake: Lake,
    table: ProfileTable,
    rows: Sequence[tuple[Any, ...]],
    profiles: str,
    now: datetime,
    *,
    are_few: bool = False,
) -> None:
    types = {column.name: column.type for column in table.columns}
    schema = to_arrow_schema(StructType.fromDDL(", ".join(f"{name} {types[name]}" for name in table.given_columns)))
    told = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    touched = pa.table({"profile_id": pa.array(profiles.split(), pa.string())})
    here = OnDriver(profiles=touched, now=now, silver={}, tables={table: told}) if are_few else None
    frames = {table: lake.frame(told)}
    one_row = lake.frame(pa.table({"now": pa.array([now], pa.timestamp("us", tz="UTC"))}))
    write(lake, table, GoldRows(profiles=lake.frame(touched), now=one_row, silver={}, tables=frames, here=here))


def said_before(lake: Lake, *told: Any, are_few: bool) -> None:
    """`say`, by delta-rs whoever writes what comes then: a merge by Spark takes more than a second."""
    writes, lake.uses_delta_rs = lake.uses_delta_rs, True
    say(lake, *told, are_few=are_few)
    lake.uses_delta_rs = writes


def stored(lake: Lake, table: ProfileTable, *columns: str) -> list[tuple[Any, ...]]:
    """As somebody without Spark reads them."""
    rows = DeltaTable(lake.path(table)).to_pyarrow_table(columns=list(columns)).to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)


def test_only_the_profiles_in_question_change(way: tuple[Lake, bool]) -> None:
    written, are_few = way
    said_before(written, PER_PROFILE, [("ann", 1), ("bob", 2), ("cat", 3)], "ann bob cat", FIRST, are_few=are_few)
    say(written, PER_PROFILE, [("ann", 5)], "ann bob", SECOND, are_few=are_few)
    say(written, PER_PROFILE, [], "bob dan", SECOND, are_few=are_few)
    assert stored(written, PER_PROFILE, "profile_id", "count") == [("ann", 5), ("cat", 3)]


def test_a_row_that_says_the_same_is_not_written_again(way: tuple[Lake, bool]) -> None:
    written, are_few = way
    said_before(written, PER_PROFILE, [("ann", 1), ("bob", 2)], "ann bob", FIRST, are_few=are_few)
    say(written, PER_PROFILE, [("ann", 1), ("bob", 3)], "ann bob", SECOND, are_few=are_few)
    times = dict(stored(written, PER_PROFILE, "profile_id", "computed_at"))
    assert times == {"ann": FIRST, "bob": SECOND}


def test_rows_of_a_finer_grain_that_are_gone_are_removed(way: tuple[Lake, bool]) -> None:
    written, are_few = way
    said_before(
        written,
        PER_PRODUCT,
        [("ann", "tea", 1), ("ann", "cup", 2), ("bob", "tea", 3)],
        "ann bob",
        FIRST,
        are_few=are_few,
    )
    say(written, PER_PRODUCT, [("ann", "cup", 4)], "ann", SECOND, are_few=are_few)
    key = ("profile_id", "product_id", "count")
    assert stored(written, PER_PRODUCT, *key) == [("ann", "cup", 4), ("bob", "tea", 3)]
    say(written, PER_PRODUCT, [], "ann bob", SECOND, are_few=are_few)
    assert stored(written, PER_PRODUCT, *key) == []


def test_what_no_longer_holds_is_closed_and_what_stays_is_left_alone(way: tuple[Lake, bool]) -> None:
    written, are_few = way
    said_before(
        written, PER_VALIDITY, [("ann", "new"), ("bob", "loyal"), ("cat", "new")], "ann bob cat", FIRST, are_few=are_few
    )
    say(written, PER_VALIDITY, [("ann", "loyal"), ("bob", "loyal")], "ann bob cat", SECOND, are_few=are_few)
    rows = {row[:3]: row[3] for row in stored(written, PER_VALIDITY, "profile_id", "name", "valid_from", "valid_to")}
    assert rows == {
        ("ann", "new", FIRST): SECOND,
        ("ann", "loyal", SECOND): None,
        ("bob", "loyal", FIRST): None,
        ("cat", "new", FIRST): SECOND,
    }


def test_what_may_be_revised_is_set_on_the_open_row_and_closes_nothing(way: tuple[Lake, bool]) -> None:
    written, are_few = way
    people = "ann bob cat"
    before = [("ann", "new", "1", 7), ("bob", "new", "1", 7), ("cat", "new", "1", 7)]
    said_before(written, REVISED, before, people, FIRST, are_few=are_few)
    after = [("ann", "new", "2", 8), ("bob", "loyal", "2", 8), ("cat", "new", "1", 8)]
    say(written, REVISED, after, people, SECOND, are_few=are_few)
    rows = stored(written, REVISED, "profile_id", "name", "version", "until", "valid_from", "valid_to")
    assert set(rows) == {
        ("ann", "new", "2", 8, FIRST, None),
        ("bob", "new", "1", 7, FIRST, SECOND),
        ("bob", "loyal", "2", 8, SECOND, None),
        ("cat", "new", "1", 7, FIRST, None),  # for what is only handed on no row is written
    }


def test_few_rows_and_many_are_written_alike(written: Lake) -> None:
    chance = random.Random(3)
    people = [f"p{number}" for number in range(12)]
    for day in (1, 2, 3) if written.uses_delta_rs else (1, 2):
        touched = chance.sample(people, 8)
        named = [
            (one, chance.choice(("new", "loyal")), chance.choice("12"), day) for one in touched if chance.random() < 0.8
        ]
        counted = [(one, product, day) for one in touched for product in ("tea", "cup") if chance.random() < 0.7]
        for are_few in (True, False):
            now = at(f"2026-03-0{day} 00:00")
            say_so = said_before if day == 1 else say
            say_so(written, ALIKE[are_few], named, " ".join(touched), now, are_few=are_few)
            say_so(written, FINER[are_few], counted, " ".join(touched), now, are_few=are_few)
            say_so(
                written,
                COARSE[are_few],
                [(one, n // 3) for n, (one, *_) in enumerate(named)],
                " ".join(touched),
                now,
                are_few=are_few,
            )
    for tables in (ALIKE, FINER, COARSE):
        few, many = (stored(written, tables[are_few], *tables[are_few].column_names) for are_few in (True, False))
        assert len(few) > 6
        assert Counter(few) == Counter(many)

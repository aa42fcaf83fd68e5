"""Rows set where they are stored, against a dictionary; and files that stay small and in the order of their time."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lakehouse.lake import delta_rs, time_order
from lakehouse.lake.time_order import File, files_of, runs_of, set_rows, tidy, untidy
from lakehouse.tables.contract import Table, optional, required

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = Table(
    name="silver.visits",
    grain="one row per visit",
    key=("actor", "page"),
    owner="nobody",
    time_column="at",
    columns=(
        required("actor", "string", ""),
        required("page", "string", ""),
        required("at", "timestamp", ""),
        optional("note", "string", ""),
    ),
)
SCHEMA = pa.schema(
    [
        pa.field("actor", pa.string(), False),
        pa.field("page", pa.string(), False),
        pa.field("at", pa.timestamp("us", tz="UTC"), False),
        pa.field("note", pa.string()),
    ]
)
Key = tuple[str, str]
Rows = dict[Key, tuple[int, str | None]]
ACTORS = ["ann", "bob", "cat", "dan", "eve", "fay"]


def moment(number: int) -> datetime:
    return START + timedelta(microseconds=700 * number)


def arrow(rows: Rows) -> pa.Table:
    columns = [(actor, page, moment(at), note) for (actor, page), (at, note) in rows.items()]
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in columns], SCHEMA)


def stored(path: str) -> Rows:
    rows = pa.table(DeltaTable(path).to_pyarrow_table()).to_pylist()
    found = {(r["actor"], r["page"]): ((r["at"] - START) // timedelta(microseconds=700), r["note"]) for r in rows}
    assert len(found) == len(rows)
    return found


def spans(path: str) -> list[tuple[int, int]]:
    return [(file.span[0] + 1_000, file.span[1] - 1_000) for file in files_of(DeltaTable(path), path, "at")]


visits = st.dictionaries(
    st.tuples(st.sampled_from(ACTORS), st.sampled_from(["home", "cart"])),
    st.tuples(st.integers(0, 20), st.sampled_from([None, "x", "y"])),
    max_size=5,
)


@given(st.lists(st.tuples(visits, st.randoms(use_true_random=False)), min_size=1, max_size=5))
@settings(max_examples=60, derandomize=True, deadline=None, database=None, phases=(Phase.generate,))
def test_setting_deleting_and_tidying_do_what_a_dictionary_does(tmp_path_factory, steps):
    path = str(tmp_path_factory.mktemp("table"))
    write_deltalake(path, SCHEMA.empty_table())
    known: Rows = {}
    for given_, chance in steps:
        new = {key: row for key, row in given_.items() if key not in known}
        if new:
            write_deltalake(path, arrow(new), mode="append")
        known |= new
        chosen = [key for key in known if chance.random() < 0.4]
        rows = {key: (chance.randint(0, 20), chance.choice([None, "z"])) for key in chosen}
        gone = {key for key in chosen if chance.random() < 0.3}
        if rows:
            flags = pa.array([key in gone for key in rows])
            times = pa.array([moment(known[key][0]) for key in rows], SCHEMA.field("at").type)
            assert set_rows(arrow(rows).append_column("is_deleted", flags), TABLE, path, times, deletes=True)
        known = {key: row for key, row in (known | rows).items() if key not in gone}
        assert stored(path) == known
        if chance.random() < 0.3:
            tidy(TABLE, path, SCHEMA)
            assert stored(path) == known


def filled(path: Path, files: int, rows: int) -> Rows:
    known: Rows = {}
    for file in range(files):
        new = {(f"actor{n}", "home"): (n, None) for n in range(file * rows, (file + 1) * rows)}
        write_deltalake(str(path), arrow(new), mode="append")
        known |= new
    return known


def test_only_the_files_of_the_rows_are_written_and_others_stay_apart(tmp_path: Path) -> None:
    filled(tmp_path, files=9, rows=50)
    before = set(DeltaTable(tmp_path).file_uris())
    rows: Rows = {("actor3", "home"): (3, "x"), ("actor448", "home"): (448, "x")}
    times = pa.array([moment(3), moment(448)], SCHEMA.field("at").type)
    assert set_rows(arrow(rows), TABLE, str(tmp_path), times, deletes=False)
    assert len(before & set(DeltaTable(tmp_path).file_uris())) == 7
    ends = spans(str(tmp_path))
    assert all(one[1] < other[0] for one, other in pairwise(ends))


def test_a_row_that_is_not_where_it_is_said_to_be_changes_nothing(tmp_path: Path) -> None:
    known = filled(tmp_path, files=3, rows=50)
    version = DeltaTable(tmp_path).version()
    rows: Rows = {("actor3", "home"): (3, "x"), ("actor140", "home"): (140, "x")}
    times = pa.array([moment(3), moment(60)], SCHEMA.field("at").type)
    assert not set_rows(arrow(rows), TABLE, str(tmp_path), times, deletes=False)
    assert (DeltaTable(tmp_path).version(), stored(str(tmp_path))) == (version, known)


def test_too_many_rows_are_left_to_a_merge_and_tidied_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = filled(tmp_path, files=3, rows=50)
    monkeypatch.setattr(time_order, "MOST_ROWS", 40)
    times = pa.array([moment(3)], SCHEMA.field("at").type)
    assert not set_rows(arrow({("actor3", "home"): (3, "x")}), TABLE, str(tmp_path), times, deletes=False)
    tidy(TABLE, str(tmp_path), SCHEMA)
    assert stored(str(tmp_path)) == known
    assert len(DeltaTable(tmp_path).file_uris()) == 1


def file(least: int, most: int, size: int = time_order.FILE_BYTES) -> File:
    return File(path="", rows=1, bytes=size, span=(least * 10**6, most * 10**6))


def test_files_that_share_time_are_rewritten_and_small_ones_joined() -> None:
    assert untidy([file(0, 9), file(10, 19), file(20, 29)]) == []
    crowd = [file(n, 10 + n) for n in range(6)]
    assert untidy([*crowd, file(20, 29)]) == [(0, 15 * 10**6)]
    assert untidy([file(0, 39), file(1, 9), file(10, 19), file(20, 29)]) == []
    assert untidy([file(0, 9), file(10, 19, 1), file(20, 29, 1), file(30, 39)]) == [(10 * 10**6, 29 * 10**6)]


def test_runs_are_neighbours_and_at_most_so_many() -> None:
    files = [file(10 * n, 10 * n + 5) for n in range(100)]
    chosen = random.Random(5).sample(range(100), 40)
    times = np.array(sorted(10 * n * 10**6 for n in chosen))
    runs = runs_of(files, times)
    assert len(runs) == time_order.MOST_COMMITS
    flat = [one for run in runs for one in run]
    assert {files[n] for n in chosen} <= set(flat)
    assert len(set(flat)) == len(flat)
    assert runs_of(files, times[:0]) == []
    assert [len(run) for run in runs_of(files, np.array([0, 10**7, 5 * 10**7]))] == [2, 1]


DAYS = Table(
    name="silver.days",
    grain="one row per actor and day",
    key=("actor", "day"),
    owner="nobody",
    time_column="day",
    columns=(required("actor", "string", ""), required("day", "date", ""), required("count", "bigint", "")),
)
DAY_SCHEMA = pa.schema(
    [pa.field("actor", pa.string(), False), pa.field("day", pa.date32(), False), pa.field("count", pa.int64(), False)]
)
Days = dict[tuple[str, date], int]


def merge_days(path: str, rows: Days) -> None:
    told = [{"actor": actor, "day": day, "count": count} for (actor, day), count in rows.items()]
    delta_rs.upsert(pa.Table.from_pylist(told, DAY_SCHEMA), DAYS, path, update_when=None, deletes=False)


def stored_days(path: str) -> Days:
    rows = pa.table(DeltaTable(path).to_pyarrow_table()).to_pylist()
    found = {(row["actor"], row["day"]): row["count"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_days_that_merges_pour_together_come_apart_again_and_no_row_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_order, "FILE_BYTES", 10_000)
    path, chance = str(tmp_path), random.Random(4)
    write_deltalake(path, DAY_SCHEMA.empty_table())
    known: Days = {(f"old{number}", START.date() - timedelta(days=3)): 0 for number in range(900)}
    merge_days(path, known)  # a file beside those that are rewritten
    for batch in range(24):
        day = START.date() + timedelta(days=batch // 6)
        rows = {(f"actor{chance.randrange(10**6)}", day - timedelta(days=late)): batch for late in [0] * 300 + [1, 2]}
        rows[chance.choice(sorted(key for key in known if key[1] > START.date()) or [("ann", day)])] = -batch
        merge_days(path, rows)
        known |= rows
    files = files_of(DeltaTable(path), path, "day")
    assert any(map(time_order.is_poured, files))
    assert tidy(DAYS, path, DAY_SCHEMA) > 0
    assert stored_days(path) == known
    files = files_of(DeltaTable(path), path, "day")
    assert not any(map(time_order.is_poured, files))
    assert untidy(files) == []


def test_a_merge_looks_into_no_file_of_another_day(tmp_path: Path) -> None:
    path, known = str(tmp_path), {}
    write_deltalake(path, DAY_SCHEMA.empty_table())
    for number in range(4):
        rows: Days = {(actor, START.date() + timedelta(days=number)): number for actor in ACTORS}
        merge_days(path, rows)
        known |= rows
    gone = files_of(DeltaTable(path), path, "day")[1]
    Path(gone.path).rename(tmp_path / "aside")
    change: Days = {
        ("ann", START.date()): 7,
        ("new", START.date() + timedelta(days=3)): 8,
        ("bob", START.date() + timedelta(days=2)): 9,
    }
    merge_days(path, change)
    Path(tmp_path / "aside").rename(gone.path)
    assert stored_days(path) == known | change


def test_many_days_are_few_spans_that_hold_each_of_them() -> None:
    days = [date(1969, 12, 30), date(1969, 12, 31), *(date(2026, 1, n) for n in range(1, 20, 3)), date(2026, 6, 1)]
    spans = time_order.days_of(pa.array(days), 3)
    assert time_order.within("day", spans, is_date=True) == (
        "(day >= CAST('1969-12-30' AS DATE) AND day <= CAST('1969-12-31' AS DATE)) OR "
        "(day >= CAST('2026-01-01' AS DATE) AND day <= CAST('2026-01-19' AS DATE)) OR "
        "(day >= CAST('2026-06-01' AS DATE) AND day <= CAST('2026-06-01' AS DATE))"
    )


def test_files_of_one_day_each_are_in_order_however_many_they_are() -> None:
    day = 86_400
    crowd = [file(3 * day, 3 * day) for _ in range(9)]
    assert untidy([file(day, 2 * day), *crowd, file(3 * day, 5 * day)]) == []
    assert time_order.layers(crowd) == 0
    assert untidy([file(day, day, 1), file(day, day, 1)]) == [(day * 10**6, day * 10**6)]

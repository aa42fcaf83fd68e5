"""Rows beside the driver, against a dictionary and against the table: whatever is set, removed, lost or half done, they are those of the table."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.local_index import folder_of
from lakehouse.lake.row_runs import RowRuns, current, stamp
from lakehouse.tables.contract import Table, optional, required

TABLE = Table(
    name="silver.tickets",
    grain="one row per ticket",
    key=("ticket",),
    owner="streaming/events.py",
    columns=(
        required("ticket", "string", ""),
        optional("holder", "string", ""),
        required("count", "bigint", ""),
        optional("notes", "array<struct<text:string,at:timestamp>>", ""),
    ),
)
BY = ("ticket", "holder")
Row = dict[str, Any]


def arrow(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=arrow_schema(TABLE))


def row(number: int, holder: str | None = None, count: int = 0) -> Row:
    return {
        "ticket": f"t{number}",
        "holder": holder,
        "count": count,
        "notes": [{"text": f"n{count}", "at": None}] * (count % 3),
    }


def told(rows: pa.Table) -> dict[str, Row]:
    found = {one["ticket"]: one for one in rows.to_pylist()}
    assert len(found) == rows.num_rows
    return found


def test_setting_removing_and_looking_up_do_what_a_dictionary_does(spark, tmp_path: Path) -> None:
    chance = random.Random(5)
    runs = RowRuns(tmp_path, TABLE, BY)
    known: dict[str, Row] = {}
    for batch in range(60):
        set_ = {
            one["ticket"]: one
            for one in (row(chance.randrange(90), chance.choice(["ann", "bob", None]), batch) for _ in range(9))
        }
        gone = [known[ticket] for ticket in chance.sample(sorted(known), min(2, len(known))) if ticket not in set_]
        known |= set_
        for one in gone:
            del known[one["ticket"]]
        runs.set_rows(arrow(list(set_.values())), f"state {batch}", gone=arrow(gone))
        if batch % 9 == 0:
            runs = RowRuns(tmp_path, TABLE, BY)
        assert runs.stamp == f"state {batch}"
        assert told(runs.rows("ticket", [f"t{n}" for n in range(0, 120, 2)])) == {
            t: known[t] for t in known if int(t[1:]) % 2 == 0
        }
        held = runs.rows("holder", ["ann", "nobody"], columns=["count", "ticket"])
        assert held.column_names == ["count", "ticket"]
        expected = {(one["count"], ticket) for ticket, one in known.items() if one["holder"] == "ann"}
        assert set(zip(*(column.to_pylist() for column in held.columns), strict=True)) == expected
    assert len(list(tmp_path.rglob("*.arrow"))) < 12
    assert any(one["holder"] is None for one in known.values())


@pytest.fixture
def tickets(lake: Lake) -> Lake:
    lake.create(TABLE)
    lake.add(arrow([row(1, "ann"), row(2, "bob")]), TABLE)
    return lake


def held(lake: Lake) -> dict[str, Row]:
    return told(current(lake, TABLE, BY).rows("ticket", ["t1", "t2", "t3"]))


def test_they_are_read_once_and_again_when_another_writes_to_the_table(
    tickets: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: list[str] = []
    batches = Lake.batches

    def noted(lake: Lake, table: Table) -> Iterator[pa.RecordBatch]:
        filled.append(table.name)
        return batches(lake, table)

    monkeypatch.setattr(Lake, "batches", noted)
    assert held(tickets) == held(tickets) == {"t1": row(1, "ann"), "t2": row(2, "bob")}
    tickets.add(arrow([row(3, count=5)]), TABLE)
    current(tickets, TABLE, BY).set_rows(arrow([row(3, count=6)]), stamp(tickets, TABLE))  # followed: not read again
    assert len(filled) == 2
    DeltaTable(tickets.path(TABLE)).delete("ticket = 't1'")
    assert held(tickets) == {"t2": row(2, "bob"), "t3": row(3, count=5)}
    assert len(filled) == 3


def test_a_process_that_died_leaves_what_the_table_says(tickets: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(held(tickets)) == 2
    tickets.upsert(arrow([row(1, "cat", 4)]), TABLE)  # died before it was followed
    row_runs._OPEN.clear()
    assert held(tickets)["t1"] == row(1, "cat", 4)
    runs = current(tickets, TABLE, BY)
    with monkeypatch.context() as patch:  # died before the list names the run
        patch.setattr(RowRuns, "_tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runs.set_rows(arrow([row(1, "dan", 9)]), stamp(tickets, TABLE))
    row_runs._OPEN.clear()
    assert held(tickets)["t1"] == row(1, "cat", 4)
    assert len(list(folder_of(tickets.root, "rows").rglob("*.arrow"))) == 1


@pytest.mark.parametrize("what", ["folder", "lake", "format"])
def test_they_are_read_again_when_they_are_lost_or_of_another_format(
    tickets: Lake, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert len(held(tickets)) == 2
    if what == "lake":  # deleted and made again, under the eyes of whoever has them open
        shutil.rmtree(tickets.root)
        tickets.create(TABLE)
        tickets.add(arrow([row(1, "ann"), row(2, "bob")]), TABLE)
    elif what == "folder":
        shutil.rmtree(folder_of(tickets.root, "rows"))
        row_runs._OPEN.clear()
    else:
        current(tickets, TABLE, BY).set_rows(arrow([row(3)]), stamp(tickets, TABLE))
        monkeypatch.setattr(row_runs, "FORMAT", 99)
    assert held(tickets) == {"t1": row(1, "ann"), "t2": row(2, "bob")}


def test_who_is_erased_from_the_table_is_in_no_file_and_nobody_else_may_read_any(tickets: Lake) -> None:
    assert len(held(tickets)) == 2
    folder = folder_of(tickets.root, "rows") / TABLE.name
    assert any(b"ann" in path.read_bytes() for path in folder.rglob("*.arrow"))
    DeltaTable(tickets.path(TABLE)).delete("ticket = 't1'")
    assert list(held(tickets)) == ["t2"]
    assert not any(b"ann" in path.read_bytes() for path in folder.rglob("*.arrow"))
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}


@pytest.mark.parametrize("uses_delta_rs", [True, False])
def test_rows_of_some_keys_are_those_of_the_table_wherever_it_is(tickets: Lake, uses_delta_rs: bool) -> None:
    tickets.uses_delta_rs = uses_delta_rs
    found = row_runs.rows_of(tickets, TABLE, ["t2", "t9"], columns=("ticket", "holder"))
    assert found.to_pylist() == [{"ticket": "t2", "holder": "bob"}]

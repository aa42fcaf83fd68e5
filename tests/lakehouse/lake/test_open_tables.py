"""A table that is held open is the table as it is, whatever became of it meanwhile."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from lakehouse.lake.open_tables import opened


def append(path: str, *values: int) -> None:
    """A commit of somebody else's."""
    write_deltalake(path, pa.table({"value": list(values)}), mode="append")


def values(path: str) -> list[int]:
    return sorted(opened(path).to_pyarrow_table()["value"].to_pylist())


def test_what_others_commit_is_seen_and_the_table_is_not_opened_anew(tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    append(path, 1)
    first = opened(path)
    append(path, 2)
    assert values(path) == [1, 2]
    assert opened(path) is first
    write_deltalake(first, pa.table({"value": [3]}), mode="append")
    append(path, 4)
    assert values(path) == [1, 2, 3, 4]


@pytest.mark.parametrize("is_seen_gone", [True, False])
def test_another_table_in_the_same_place_is_another_table(tmp_path: Path, is_seen_gone: bool) -> None:
    path = str(tmp_path / "table")
    for value in (1, 2, 3):
        append(path, value)
    assert values(path) == [1, 2, 3]
    shutil.rmtree(path)
    if is_seen_gone:
        with pytest.raises(TableNotFoundError):
            opened(path)
    for value in (7, 8, 9, 10):
        append(path, value)
    assert values(path) == [7, 8, 9, 10]


def test_a_log_that_begins_later_by_now_is_read_from_its_checkpoint(tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    append(path, 1)
    assert values(path) == [1]
    append(path, 2)
    DeltaTable(path).create_checkpoint()
    append(path, 3)
    (tmp_path / "table" / "_delta_log" / f"{0:020}.json").unlink()
    assert values(path) == [1, 2, 3]

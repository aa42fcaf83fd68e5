"""The log of a table is trimmed: what was current at the cutoff, or since, can still be read, and nothing older is left."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.maintenance.log_files import FOLDER, LogFile, anchors, behind, listed, trim

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
COMMITS = 12


def at(minute: float) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def commit(version: int) -> LogFile:
    return LogFile(f"{version:020}.json", at(version))


def checkpoint(version: int) -> LogFile:
    return LogFile(f"{version:020}.checkpoint.parquet", at(version))


@given(first=st.integers(0, 5), made=st.sets(st.integers(0, 30)), minute=st.integers(-1, 40))
def test_an_anchor_bears_every_version_of_the_time_that_is_kept(first: int, made: set[int], minute: int) -> None:
    files = [*map(commit, range(first, 31)), *(checkpoint(version) for version in made if version >= first)]
    cutoff = at(minute)
    found = anchors(files, cutoff)
    current_then = min(minute, 30)  # a version is current from its minute on
    assert found == sorted((v for v in made if first <= v <= current_then and first <= minute), reverse=True)


def test_commits_after_the_last_checkpoint_are_counted() -> None:
    assert behind([]) == 0
    assert behind([commit(0), commit(1)]) == 2
    assert behind([*map(commit, range(9)), checkpoint(5), LogFile("_last_checkpoint", EPOCH)]) == 3


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A table of one row more a commit, each a minute after the last, and checkpoints at 3, 6 and 9."""
    path = str(tmp_path / "table")
    for number in range(COMMITS):
        once = CommitProperties(app_transactions=[Transaction("writer", number)])
        write_deltalake(path, pa.table({"row": [number]}), mode="append", commit_properties=once)
        if number in (3, 6, 9):
            DeltaTable(path).create_checkpoint()
    log = Path(path, FOLDER)
    for file in log.glob("0*"):
        moment = at(int(file.name[:20])).timestamp()
        os.utime(file, (moment, moment))
    (log / f".{2:020}.json.crc").touch()  # as Hadoop leaves them
    (log / f"{2:020}.crc").touch()
    return path


def readable(path: str) -> set[int]:
    """Versions that can be read, each with its rows."""
    versions = set()
    for version in range(COMMITS):
        try:
            rows = DeltaTable(path, version=version).to_pyarrow_table()["row"].to_pylist()
        except DeltaError:
            continue
        assert sorted(rows) == list(range(version + 1))
        versions.add(version)
    return versions


def test_versions_of_the_time_that_is_kept_stay_readable_and_the_rest_goes(path: str) -> None:
    log = Path(path, FOLDER)
    assert trim(log, at(-1)) == 0
    assert trim(log, at(7.5)) == 6 + 1 + 2  # commits 0 to 5, the checkpoint of 3, two checksums
    assert readable(path) == set(range(6, COMMITS))
    assert trim(log, at(7.5)) == 0
    assert trim(log, at(1000)) == 3 + 1
    assert readable(path) == set(range(9, COMMITS))
    assert DeltaTable(path).transaction_version("writer") == COMMITS - 1
    assert DeltaTable(path).history(1)[0]["version"] == COMMITS - 1


def test_a_torn_checkpoint_is_no_anchor(path: str, caplog: pytest.LogCaptureFixture) -> None:
    log = Path(path, FOLDER)
    torn = log / f"{9:020}.checkpoint.parquet"
    torn.write_bytes(torn.read_bytes()[:-20])
    trim(log, at(1000))
    assert "cannot be read" in caplog.text
    torn.unlink()
    (log / "_last_checkpoint").unlink()
    assert readable(path) == set(range(6, COMMITS))


def test_a_process_may_die_at_any_file_of_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log, unlink, left = Path(path, FOLDER), Path.unlink, 4

    def dying(self: Path, missing_ok: bool = False) -> None:
        nonlocal left
        if left == 0:
            raise OSError("killed")
        left -= 1
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", dying)
    with pytest.raises(OSError, match="killed"):
        trim(log, at(1000))
    monkeypatch.undo()
    assert readable(path) >= set(range(9, COMMITS))
    trim(log, at(1000))
    assert readable(path) == set(range(9, COMMITS))


def test_parts_of_files_that_a_writer_left_go_when_they_are_old(path: str) -> None:
    log = Path(path, FOLDER)
    part = log / "_commit_1.json.tmp"
    part.touch()
    assert trim(log, at(0)) == 0
    moment = at(-5).timestamp()
    os.utime(part, (moment, moment))
    assert trim(log, at(0)) == 1
    assert part.name not in {file.name for file in listed(log)}

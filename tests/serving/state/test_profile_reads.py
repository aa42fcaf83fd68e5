"""Reads of profiles wait in files for the audit log: none is answered that is not there, none is lost, and no more wait than may."""

import dataclasses
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.config import Config
from lakehouse.errors import BusyError
from lakehouse.lake import audit
from lakehouse.lake.audit import rows_of
from lakehouse.lake.audited_reads import reads_of
from lakehouse.lake.lock import open_lake
from serving.background.read_log import take_over
from serving.state import profile_reads
from serving.state.profile_reads import SUFFIX, ProfileReads, reads_folder

AT = datetime(2026, 5, 3, 12, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def folder(config: Config) -> Path:
    open_lake(config)
    found = reads_folder(config)
    assert found is not None
    return found


def told(config: Config) -> int:
    return sum(json.loads(row["detail"])["reads"] for row in rows_of(config, "read"))


def test_what_was_noted_is_in_the_log_once_while_the_writer_goes_on_and_when_it_has_ended(
    config: Config, folder: Path
) -> None:
    assert take_over(config, folder, AT) == 0, "nobody has read anything"
    reads = ProfileReads(config, folder)
    reads.note("crm", "p-ann", AT)
    reads.note("", None, AT)
    assert take_over(config, folder, AT) == 2
    assert take_over(config, folder, AT) == 0
    reads.note("crm", "p-ann", AT)
    reads.close()  # or the process was killed: its lock is gone either way
    assert take_over(config, folder, AT) == 1
    assert list(folder.iterdir()) == []
    assert (told(config), len(list(reads_of(config, "p-ann")))) == (3, 2)
    assert all("p-ann" not in row["detail"] for row in rows_of(config, "read"))


def test_half_a_line_is_of_nobody_who_was_answered_and_hides_no_other(config: Config, folder: Path) -> None:
    reads = ProfileReads(config, folder)
    reads.note("crm", "p-ann", AT)
    (written,) = folder.glob(f"*{SUFFIX}")
    with written.open("ab") as torn:
        torn.write(b'{"at": "2026-0')
    assert take_over(config, folder, AT) == 1
    reads.close()
    assert take_over(config, folder, AT) == 0
    assert list(folder.iterdir()) == []


def test_a_line_that_a_failing_machine_damaged_is_told_and_hides_no_other(
    config: Config, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reads = ProfileReads(config, folder)
    reads.note("crm", "p-ann", AT)
    (written,) = folder.glob(f"*{SUFFIX}")
    with written.open("ab") as damaged:
        damaged.write(b"\0\0\0\n[1]\n{}\n")
    reads.note("crm", "p-bob", AT)
    assert take_over(config, folder, AT) == 2
    assert "3 of 5 lines of reads cannot be read" in caplog.text
    assert take_over(config, folder, AT) == 0


def test_lines_wait_while_the_log_cannot_be_written(
    config: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = ProfileReads(config, folder)
    reads.note("crm", "p-ann", AT)
    with monkeypatch.context() as patched:
        patched.setattr(audit, "_write_head", _full)
        with pytest.raises(OSError, match="no space"):
            take_over(config, folder, AT)
    assert take_over(config, folder, AT) == 1


def _full(*_: object) -> None:
    raise OSError("no space")


def test_no_profile_is_told_while_too_many_reads_wait(
    config: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_reads, "_SEGMENT_BYTES", 100)
    monkeypatch.setattr(profile_reads, "MOST_BYTES", 400)
    reads = ProfileReads(config, folder)
    noted = 0
    while sum(file.stat().st_size for file in folder.glob(f"*{SUFFIX}")) <= 400:
        reads.note("crm", "p-ann", AT)
        noted += 1
    reads.close()
    with pytest.raises(BusyError, match="Start the background process"):
        reads.note("crm", "p-ann", AT)
    assert take_over(config, folder, AT) == noted
    reads.note("crm", "p-ann", AT)
    assert take_over(config, folder, AT) == 1


def test_a_disk_that_takes_no_line_is_told_and_leaves_no_file_open(config: Config, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BusyError, match="a read cannot be noted"):
        ProfileReads(config, folder).note("crm", "p-ann", AT)
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_without_a_lake_on_this_machine_nothing_is_noted(config: Config, tmp_path: Path) -> None:
    elsewhere = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root="s3a://bucket/lake"))
    assert reads_folder(elsewhere) is None
    ProfileReads(elsewhere, None).note("crm", "p-ann", AT)
    ProfileReads(config, tmp_path / "reads").note("crm", "p-ann", AT)  # nobody has made the lake yet
    assert not (tmp_path / "reads").exists()

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse.errors import LakeError
from serving.kafka.record_frames import Record, frames
from serving.kafka.spool import Full, Spool, Unsent

MOST = 100_000_000
SEGMENT_BYTES = 8 << 20
RECORDS = [
    Record("events", b"visitor\n1", b'{"a":"\xff"}', ()),
    Record("webhooks", None, b"", (("id", b"\xe9\n"), ("none", None))),
    Record("events", b"", "{\u00b5}".encode(), ()),
]


def drained(spool: Spool) -> list[Record]:
    found: list[Record] = []
    while (unsent := spool.read()) is not None:
        found += unsent.records
        spool.confirm(unsent)
    return found


def files(folder: Path, suffix: str = ".spool") -> list[Path]:
    return sorted(folder.glob(f"*{suffix}"))


def test_records_come_back_in_order_as_they_were_and_leave_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    spool.write(frames(RECORDS[:1]))
    spool.write(frames(RECORDS[1:]))
    assert spool.read() == spool.read()  # until it is confirmed
    assert drained(spool) == RECORDS
    assert (spool.size, spool.read()) == (0, None)
    spool.write(frames(RECORDS[:1]))
    assert drained(spool) == RECORDS[:1]
    spool.clear()
    assert files(tmp_path) == []


def test_files_that_are_sent_are_deleted_while_others_are_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    large = [Record("events", b"v", bytes([number]) * 900_000, ()) for number in range(25)]
    for record in large:
        spool.write(frames([record]))
    assert [file.stat().st_size >= SEGMENT_BYTES for file in files(tmp_path)] == [True, True, False]
    assert drained(spool) == large
    assert len(files(tmp_path)) == 1
    assert spool.size == 0


def test_no_more_than_the_limit(tmp_path: Path) -> None:
    spool, one = Spool(tmp_path, 1_000), frames([Record("events", b"v", b"x" * 550, ())])
    assert spool.has_room(len(one))
    spool.write(one)
    assert not spool.has_room(len(one))
    drained(spool)
    spool.clear()
    assert spool.has_room(len(one))


def test_what_a_process_left_is_adopted_once_it_has_ended(tmp_path: Path) -> None:
    first = Spool(tmp_path, MOST)
    first.write(frames(RECORDS[:2]))
    second = Spool(tmp_path, MOST)
    assert second.read() is None  # the first one still runs
    second.write(frames(RECORDS[2:]))
    first.close()
    second.close()
    third = Spool(tmp_path, MOST)
    assert drained(third) == RECORDS
    assert files(tmp_path) == []


def cut(content: bytes) -> bytes:
    return content[:-3]


def cut_in_the_head(content: bytes) -> bytes:
    return content[: len(frames(RECORDS[:2])) + 3]


def altered(content: bytes) -> bytes:
    at = len(frames(RECORDS[:2])) + 12
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def followed_by_zeros(content: bytes) -> bytes:
    return content[: len(frames(RECORDS[:2]))] + bytes(4096)


@pytest.mark.parametrize("damage", [cut, cut_in_the_head, altered, followed_by_zeros])
def test_what_is_no_whole_record_is_told_and_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    before = Spool(tmp_path, MOST)
    before.write(frames(RECORDS))
    before.close()
    (file,) = files(tmp_path)
    assert callable(damage)
    file.write_bytes(damaged := damage(file.read_bytes()))
    spool = Spool(tmp_path, MOST)
    spool.write(frames(RECORDS[:1]))
    assert drained(spool) == [*RECORDS[:2], RECORDS[0]]
    (aside,) = files(tmp_path, ".damaged")
    assert aside.read_bytes() == damaged[len(frames(RECORDS[:2])) :]
    assert f"the last {aside.stat().st_size} bytes are no whole record" in caplog.text
    assert aside.name in caplog.text


@contextmanager
def disk_of(most_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_disk_does_not_take_is_told_and_never_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    spool.write(frames(RECORDS[:1]))
    with disk_of(500), pytest.raises(Full, match="takes no more, got File too large, expected a disk with room"):
        spool.write(frames([RECORDS[1], Record("events", b"v", b"x" * 500, ())]))
    spool.write(frames(RECORDS[2:]))
    unsent = spool.read()
    assert unsent is not None
    assert unsent.records == RECORDS[:1]
    spool.close()
    assert drained(Spool(tmp_path, MOST)) == [RECORDS[0], RECORDS[2]]
    assert files(tmp_path, ".damaged") == []


def test_however_often_a_full_disk_is_tried_nothing_is_left_open_or_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    spool.write(frames(RECORDS[:1]))
    before = open_files()
    with disk_of(100):
        for _ in range(20):
            with pytest.raises(Full, match="takes no more"):
                spool.write(frames([Record("events", b"v", b"x" * 500, ())]))
    assert open_files() == before
    assert len(files(tmp_path)) == 1
    spool.write(frames(RECORDS[1:]))
    assert drained(spool) == RECORDS


def test_a_folder_that_is_gone_costs_no_open_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", MOST)
    (tmp_path / "spool" / "lock").unlink()
    (tmp_path / "spool").rmdir()
    before = open_files()
    for _ in range(20):
        with pytest.raises(Full, match="No such file"):
            spool.write(frames(RECORDS))
    assert open_files() == before


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_kafka_has_is_not_read_again_by_the_next_process(tmp_path: Path) -> None:
    first = Spool(tmp_path, MOST)
    many = [Record("events", b"v", bytes([number]) * 100_000, ()) for number in range(9)]
    first.write(frames(many))
    unsent = first.read()
    assert unsent is not None
    first.confirm(unsent)
    ahead = first.read()
    assert ahead is not None
    first.close()  # as if killed: what was read last is not confirmed
    second = Spool(tmp_path, MOST)
    assert second.size == len(frames(many[len(unsent.records) :]))
    assert drained(second) == many[len(unsent.records) :]
    assert list(tmp_path.iterdir()) == [tmp_path / "lock"]


def test_what_kafka_has_wholly_is_deleted_by_the_next_process(tmp_path: Path) -> None:
    first = Spool(tmp_path, MOST)
    first.write(frames(RECORDS))
    assert drained(first) == RECORDS
    first.close()
    assert len(files(tmp_path)) == 1
    assert Spool(tmp_path, MOST).size == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "lock"]


@pytest.mark.parametrize(
    "note", [b"", b"x" * 12, b"\0" * 12, (1 << 40).to_bytes(8) + b"\0" * 4, (5).to_bytes(8) + b"\0" * 4, b"x" * 500]
)
def test_a_note_that_is_none_costs_no_record(tmp_path: Path, note: bytes) -> None:
    first = Spool(tmp_path, MOST)
    first.write(frames(RECORDS))
    first.close()
    files(tmp_path)[0].with_suffix(".sent").write_bytes(note)
    assert drained(Spool(tmp_path, MOST)) == RECORDS


def test_at_most_a_reading_is_sent_again_and_a_large_record_is_still_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    records = [Record("events", b"v", b"x" * size, ()) for size in (1_000, 1_900_000, *(1_000,) * 1_000)]
    spool.write(frames(records))
    readings: list[Unsent] = []
    while (unsent := spool.read()) is not None:
        readings.append(unsent)
        spool.confirm(unsent)
    assert [record for reading in readings for record in reading.records] == records
    assert max(len(reading.records) for reading in readings) < 300


def test_files_stay_in_order_when_the_clock_is_set_back(tmp_path: Path) -> None:
    times = iter([2_000, 1_000, 3_000])
    large = [Record("events", b"v", bytes([number]) * SEGMENT_BYTES, ()) for number in range(3)]
    for record in large[:2]:
        spool = Spool(tmp_path, MOST, clock_ns=lambda: next(times))
        spool.write(frames([record]))
        spool.close()
    spool = Spool(tmp_path, MOST, clock_ns=lambda: 500)
    spool.write(frames(large[2:]))
    names = [path.name for path in files(tmp_path)]
    spool.close()
    assert [int(name[:20]) for name in names] == [2_000, 2_001, 2_002]
    assert [file.read_bytes() for file in files(tmp_path)] == [frames([record]) for record in large]


def test_a_spool_of_any_size_is_a_few_open_files(tmp_path: Path) -> None:
    before = open_files()
    spool = Spool(tmp_path, 64 * SEGMENT_BYTES * 2)
    for _ in range(6):
        spool.write(frames([Record("events", b"v", b"x" * (SEGMENT_BYTES // 2), ())] * 2))
    assert open_files() - before == 3


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match=r"^spool: .*file/spool cannot be used, got Not a directory, expected a folder"):
        Spool(tmp_path / "file" / "spool", MOST)


def test_what_kafka_will_never_take_is_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Spool(tmp_path, MOST).put_aside(RECORDS)
    (aside,) = files(tmp_path, ".frames")
    assert aside.read_bytes() == frames(RECORDS)
    assert str(aside) in caplog.text


def test_what_cannot_be_put_aside_leaves_no_part_of_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MOST)
    spool.put_aside(RECORDS[:1])
    with disk_of(len(frames(RECORDS[:1])) + 10), pytest.raises(OSError, match="File too large"):
        spool.put_aside(RECORDS[1:])
    spool.put_aside(RECORDS[1:])
    assert files(tmp_path, ".frames")[0].read_bytes() == frames(RECORDS)

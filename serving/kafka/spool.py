"""Records on disk while Kafka is away: appended and fsynced, read back in order, deleted once Kafka has them.

A file holds frames one after the other: length and CRC-32 of what follows, then topic, length of the key and headers as a line of JSON, the
key, the value. One folder serves all processes of a machine. A file belongs to the process that holds its lock; what a process left behind
that has ended is adopted by the next that begins, as a whole, so that one of them sends it in order.
"""

import fcntl
import logging
import os
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from lakehouse.errors import BrokerError, LakeError
from lakehouse.machine import file_lock

log = logging.getLogger("stitchlake.serving")
_FRAME = struct.Struct(">II")
_SEGMENT_BYTES = 8 << 20  # what is sent again, at most, after a process was killed while it drained
_READ_BYTES = 2 << 20  # at once; more than the largest frame
_SUFFIX, _DAMAGED, _REFUSED = ".spool", ".damaged", "refused.frames"

Header = tuple[str, str | bytes | None]


class Full(BrokerError):
    """No more can be kept on disk: the limit is reached, or the disk does not take it."""


class Record(NamedTuple):
    """One record as Kafka is to get it."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[Header, ...] = ()


class Unsent(NamedTuple):
    """What comes next, in order, and the place in its file where it ends."""

    records: list[Record]
    end: int


@dataclass(slots=True)
class _Segment:
    """A file that is locked by us. size: bytes of it that are on disk."""

    path: Path
    file: int
    size: int


class Spool:
    """`write` by one thread at a time, `read`, `confirm` and `clear` by one; the two may be different. `most_bytes`: of all files.

    Raises:
        LakeError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._segments: deque[_Segment] = deque()  # oldest first
        self._written: _Segment | None = None  # the one that is appended to, the last of them
        self._sent = 0  # bytes of the oldest that Kafka has
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # events hold personal data
            self._adopt()
        except OSError as error:
            raise LakeError(
                f"spool: {folder} cannot be used, got {error.strerror}, expected a folder to write to. Mend that, or set "
                "serving.spool_megabytes to 0"
            ) from error

    @property
    def size(self) -> int:
        """Bytes that Kafka does not have yet, as far as is known."""
        return self._bytes() - self._sent

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be written."""
        return self._bytes() + size <= self._most_bytes

    def write(self, framed: bytes) -> None:
        """Returns once they are on the disk.

        Raises:
            Full: the disk does not take them; nothing of them will be read.
        """
        segment = None
        try:
            segment = self._open_segment()
            _write_all(segment.file, framed)
            os.fsync(segment.file)
        except OSError as error:
            if segment is not None:
                with suppress(OSError):
                    os.ftruncate(segment.file, segment.size)
            self._written = None  # after an fsync that failed nobody knows what the file holds: no more into it
            raise Full(
                f"spool: {self._folder} takes no more, got {error.strerror}, expected a disk with room"
            ) from error
        segment.size += len(framed)

    def read(self) -> Unsent | None:
        """The oldest records that are not confirmed; the same again until they are. None = there are none."""
        while self._segments:
            oldest = self._segments[0]
            size = oldest.size
            if self._sent < size:
                records, end = _records(os.pread(oldest.file, min(_READ_BYTES, size - self._sent), self._sent))
                if records:
                    return Unsent(records, self._sent + end)
                self._give_up_rest(oldest)
            elif oldest is self._written:
                return None
            else:
                self._delete_oldest()
        return None

    def confirm(self, unsent: Unsent) -> None:
        """Kafka has what was read."""
        self._sent = unsent.end
        if self._segments[0] is not self._written and self._sent >= self._segments[0].size:
            self._delete_oldest()

    def clear(self) -> None:
        """All is confirmed, and nothing is being written."""
        self._written = None
        while self._segments:
            self._delete_oldest()

    def close(self) -> None:
        """Leave what is there to whoever begins next."""
        for segment in self._segments:
            os.close(segment.file)
        self._segments.clear()
        self._written = None

    def put_aside(self, refused: Iterable[Record]) -> None:
        """Keep what Kafka will never take, for somebody to look at."""
        with (self._folder / _REFUSED).open("ab") as file:
            file.write(framed := frames(refused))
        log.error(
            "spool: Kafka refuses records for good; %d bytes of them are in %s", len(framed), self._folder / _REFUSED
        )

    def _bytes(self) -> int:
        return sum(segment.size for segment in tuple(self._segments))  # the other thread may add one

    def _open_segment(self) -> _Segment:
        if self._written is None or self._written.size >= _SEGMENT_BYTES:
            path = self._folder / f"{time.time_ns():020}-{os.getpid()}{_SUFFIX}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._written = _Segment(path, file, 0)
            self._segments.append(self._written)
            _sync_folder(self._folder)
        return self._written

    def _adopt(self) -> None:
        with file_lock(self._folder / "lock"):
            found = sorted(self._folder.glob(f"*{_SUFFIX}"))
            self._segments.extend(segment for path in found if (segment := _adopted(path)) is not None)

    def _give_up_rest(self, segment: _Segment) -> None:
        """What cannot be read of a file, from here to its end: the last record of a process that was cut off, which nobody was told
        is kept, or a disk that lost something.
        """
        rest = os.pread(segment.file, segment.size - self._sent, self._sent)
        aside = segment.path.with_suffix(_DAMAGED)
        aside.write_bytes(rest)
        log.error(
            "spool: %s: the last %d bytes are no whole record, expected one. They are in %s; delete it once you have looked",
            segment.path,
            len(rest),
            aside.name,
        )
        if segment is self._written:
            self._written = None
        segment.size = self._sent

    def _delete_oldest(self) -> None:
        segment = self._segments.popleft()
        self._sent = 0
        segment.path.unlink(missing_ok=True)
        os.close(segment.file)


def frames(records: Iterable[Record]) -> bytes:
    """Records as they stand in a file, one after the other."""
    return b"".join(map(_frame, records))


def _frame(record: Record) -> bytes:
    topic, key, value, headers = record
    told = [[name, _latin(sent)] for name, sent in headers]
    body = b"".join((orjson.dumps([topic, None if key is None else len(key), told]), b"\n", key or b"", value))
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _latin(sent: str | bytes | None) -> str | None:
    return sent.decode("latin-1") if isinstance(sent, bytes) else sent and sent.encode().decode("latin-1")


def _records(data: bytes) -> tuple[list[Record], int]:
    """The whole records that the data begins with, and where they end."""
    records: list[Record] = []
    at = 0
    while at + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, at)
        body = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(body) < length or zlib.crc32(body) != check or not body:
            break
        records.append(_record(body))
        at += _FRAME.size + length
    return records, at


def _record(body: bytes) -> Record:
    told, _, rest = body.partition(b"\n")
    topic, key_bytes, headers = orjson.loads(told)
    key = None if key_bytes is None else rest[:key_bytes]
    sent = tuple((name, value and value.encode("latin-1")) for name, value in headers)
    return Record(topic, key, rest[key_bytes or 0 :], sent)


def _adopted(path: Path) -> _Segment | None:
    """A file that nobody holds any more; None = somebody does, or it has just been deleted."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    found = os.fstat(file)
    if not found.st_nlink:
        os.close(file)
        return None
    return _Segment(path, file, found.st_size)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    """Else a file that is new may not be there after the machine has failed."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

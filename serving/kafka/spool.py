"""Records on disk while Kafka is away: appended and fsynced, read back in order, deleted once Kafka has them.

A file holds frames one after the other: serving/kafka/record_frames.py. Beside it a note says how far Kafka has it; it is written after each
acknowledgement and not fsynced: what a process that is killed sends again is one reading, what a machine that fails sends again may be a file.

One folder serves all processes of a machine. A file belongs to the process that holds its lock; what a process left behind that has ended is
adopted by the next that begins, as a whole, so that one of them sends it in order. Files are in the order of their names, which only grow,
also when the clock is set back.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lakehouse.errors import BrokerError, LakeError
from lakehouse.machine import file_lock
from serving.kafka.record_frames import Record, frames, whole_records
from serving.kafka.spool_file import NOTED, SUFFIX, SpoolFile, adopted, created, make_folder, sync_folder, write_all

log = logging.getLogger("stitchlake.serving")
_SEGMENT_BYTES = 8 << 20
_MOST_SEGMENTS = 64  # of a full spool: each is an open file
_READ_BYTES = 256 << 10  # at once: what is sent again, at most, after a process was killed while it drained
_MOST_FRAME_BYTES = 2 << 20
_DAMAGED, _REFUSED = ".damaged", "refused.frames"


class Full(BrokerError):
    """No more can be kept on disk: the limit is reached, or the disk does not take it."""


class Unsent(NamedTuple):
    """What comes next, in order, and the place in its file where it ends."""

    records: list[Record]
    end: int


class Spool:
    """`write` by one thread at a time, `read`, `confirm` and `clear` by one; the two may be different. `most_bytes`: of all files.

    Raises:
        LakeError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, most_bytes: int, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = max(_SEGMENT_BYTES, most_bytes // _MOST_SEGMENTS)
        self._clock_ns = clock_ns
        self._newest_ns = 0  # by the names of the files
        self._segments: deque[SpoolFile] = deque()  # oldest first
        self._written: SpoolFile | None = None  # the one that is appended to, the last of them
        self._appending = Lock()
        try:
            make_folder(folder)
            self._adopt()
            if not self.size:
                self.clear()  # what Kafka has wholly: a process ended before it had deleted that
        except OSError as error:
            raise LakeError(
                f"spool: {folder} cannot be used, got {error.strerror}, expected a folder to write to. Mend that, or set "
                "serving.spool_megabytes to 0"
            ) from error

    @property
    def size(self) -> int:
        """Bytes that Kafka does not have yet, as far as is known."""
        return sum(segment.size - segment.sent for segment in tuple(self._segments))  # the other thread may add one

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be written."""
        return sum(segment.size for segment in tuple(self._segments)) + size <= self._most_bytes

    def write(self, framed: bytes) -> None:
        """Returns once they are on the disk.

        Raises:
            Full: the disk does not take them; nothing of them will be read, and nothing is left open.
        """
        with self._appending:
            segment, before = self._written, self._written
            try:
                if segment is None or segment.size >= self._segment_bytes:
                    segment = created(self._next_path())
                segment.append(framed)
            except OSError as error:
                self._written = None  # after an fsync that failed nobody knows what the file holds: no more into it
                raise Full(
                    f"spool: {self._folder} takes no more, got {error.strerror}, expected a disk with room"
                ) from error
            if segment is not before:
                self._segments.append(segment)
                self._written = segment

    def read(self) -> Unsent | None:
        """The oldest records that are not confirmed; the same again until they are. None = there are none."""
        while self._segments:
            oldest = self._segments[0]
            size = oldest.size
            if oldest.sent < size:
                for most in (_READ_BYTES, _MOST_FRAME_BYTES):
                    records, end = whole_records(os.pread(oldest.file, min(most, size - oldest.sent), oldest.sent))
                    if records:
                        return Unsent(records, oldest.sent + end)
                self._give_up_rest(oldest)
            elif oldest is self._written:
                return None
            else:
                self._segments.popleft().delete()
        return None

    def confirm(self, unsent: Unsent) -> None:
        """Kafka has what was read."""
        oldest = self._segments[0]
        oldest.note(unsent.end)
        if oldest is not self._written and oldest.sent >= oldest.size:
            self._segments.popleft().delete()

    def clear(self) -> None:
        """All is confirmed, and nothing is being written."""
        self._written = None
        while self._segments:
            self._segments.popleft().delete()

    def close(self) -> None:
        """Leave what is there to whoever begins next."""
        for segment in self._segments:
            os.close(segment.file)
        self._segments.clear()
        self._written = None

    def put_aside(self, refused: Iterable[Record]) -> None:
        """Keep what Kafka will never take, for somebody to look at. Raises OSError: the disk does not take it; nothing of it is there."""
        framed, path = frames(refused), self._folder / _REFUSED
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            before = os.fstat(file).st_size
            try:
                write_all(file, framed)
                os.fsync(file)
            except OSError:
                os.ftruncate(file, before)
                raise
        finally:
            os.close(file)
        sync_folder(self._folder)
        log.error("spool: Kafka refuses records for good; %d bytes of them are in %s", len(framed), path)

    def _next_path(self) -> Path:
        """Behind all others, whatever the clock says."""
        self._newest_ns = max(self._clock_ns(), self._newest_ns + 1)
        return self._folder / f"{self._newest_ns:020}-{os.getpid()}{SUFFIX}"

    def _adopt(self) -> None:
        with file_lock(self._folder / "lock"):
            found = sorted(self._folder.glob(f"*{SUFFIX}"))
            self._newest_ns = max((int(path.name[:20]) for path in found if path.name[:20].isdecimal()), default=0)
            self._segments.extend(segment for path in found if (segment := adopted(path)) is not None)
            for note in self._folder.glob(f"*{NOTED}"):
                if not note.with_suffix(SUFFIX).exists():
                    note.unlink(missing_ok=True)

    def _give_up_rest(self, segment: SpoolFile) -> None:
        """What cannot be read of a file, from here to its end: the last record of a process that was cut off, which nobody was told
        is kept, or a disk that lost something.
        """
        with self._appending:
            rest = os.pread(segment.file, segment.size - segment.sent, segment.sent)
            aside = segment.path.with_suffix(_DAMAGED)
            aside.write_bytes(rest)
            if segment is self._written:
                self._written = None
            segment.size = segment.sent
        log.error(
            "spool: %s: the last %d bytes are no whole record, expected one. They are in %s; delete it once you have looked",
            segment.path,
            len(rest),
            aside.name,
        )

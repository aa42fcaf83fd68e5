"""One file of the spool, and the note beside it that says how far Kafka has it. Its lock says whose it is."""

import fcntl
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX, NOTED = ".spool", ".sent"
_NOTE = struct.Struct(">QI")  # bytes of the file that Kafka has, and their CRC-32


@dataclass(slots=True)
class SpoolFile:
    """Locked by us. size: bytes of it that are on disk. sent: those that Kafka has, as far as is known."""

    path: Path
    file: int
    size: int
    sent: int = 0

    def append(self, data: bytes) -> None:
        """Returns once they are on the disk. Raises OSError: they are not, and neither is a part of them."""
        try:
            write_all(self.file, data)
            os.fsync(self.file)
        except OSError:
            self._take_back()
            raise
        self.size += len(data)

    def note(self, sent: int) -> None:
        """Kafka has so much of it. Where that cannot be written more is sent again, which readers know by its ids."""
        self.sent = sent
        said = struct.pack(">Q", sent)
        with suppress(OSError):
            file = os.open(self.path.with_suffix(NOTED), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, said + struct.pack(">I", zlib.crc32(said)), 0)
            finally:
                os.close(file)

    def delete(self) -> None:
        """And let go. The note goes last: without it all would be sent again."""
        try:
            for path in (self.path, self.path.with_suffix(NOTED)):
                path.unlink(missing_ok=True)
        finally:
            os.close(self.file)

    def _take_back(self) -> None:
        with suppress(OSError):
            os.ftruncate(self.file, self.size)
        if self.size == 0:
            with suppress(OSError):
                self.delete()


def created(path: Path) -> SpoolFile:
    """A new one, also after the machine has failed. Raises OSError: nothing of it is left."""
    made = SpoolFile(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), 0)
    try:
        fcntl.flock(made.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            made.delete()
        raise
    return made


def adopted(path: Path) -> SpoolFile | None:
    """One that nobody holds any more; None = somebody does, or it has just been deleted."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(file)
        if found.st_nlink:
            return SpoolFile(path, file, found.st_size, noted(path, found.st_size))
    except BlockingIOError:
        pass
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def noted(path: Path, size: int) -> int:
    """How far Kafka, or whoever takes it over, has it; 0 where no note is there, or none that could be."""
    try:
        sent, check = _NOTE.unpack(path.with_suffix(NOTED).read_bytes())
    except (OSError, struct.error):
        return 0
    return int(sent) if sent <= size and check == zlib.crc32(struct.pack(">Q", sent)) else 0


def write_all(file: int, data: bytes) -> None:
    """However little of it the disk takes at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def make_folder(folder: Path) -> None:
    """And those above it, each on the disk: a file is of no use in a folder that a machine has forgotten."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # events hold personal data
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Else a file that is new may not be there after the machine has failed."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""Who was told of whose profile, on its way to the audit log: in a file before the answer goes out, in ops.audit within a minute.

A commit of the log takes a hundred times as long as the answer, and all processes of the machine take turns at it. So a process of the service appends a line to
a file of its own, and the background process takes the lines over (serving/background/read_log.py). A process that is killed loses none; a machine that fails
may lose those of its last seconds. What was taken over as somebody died is taken over again. While more than MOST_BYTES wait no profile is told: nobody reads
what cannot be answered for.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import orjson

from lakehouse.config import Config
from lakehouse.config.paths import serving_folder
from lakehouse.errors import BusyError
from lakehouse.lake.lock import is_here
from lakehouse.lake.profile_read import hash_of
from lakehouse.machine import local_folder
from serving.kafka.spool_file import SpoolFile, created, make_folder, write_all

SUFFIX = ".reads"
MOST_BYTES = 16_000_000  # some 150,000 reads
_SEGMENT_BYTES = 65_536


def reads_folder(config: Config) -> Path | None:
    """Where lines wait; None: the lake is elsewhere, and has no audit log."""
    return None if local_folder(config.lake.root) is None else serving_folder(config) / "reads"


class ProfileReads:
    """Of one process, which notes them from one thread. `folder`: where lines wait; None = there is no audit log, for the lake is elsewhere."""

    def __init__(self, config: Config, folder: Path | None, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._config, self._folder, self._clock_ns = config, folder, clock_ns
        self._written: SpoolFile | None = None
        self._is_kept = False

    def note(self, by: str, profile_id: str | None, at: datetime) -> None:
        """`by`: the caller's key; empty = none was needed. `profile_id`: None = nobody the lake knows.

        Raises:
            BusyError: it cannot be noted, and is not to be answered.
        """
        if self._folder is None or not self._has_log():
            return
        profile = None if profile_id is None else hash_of(self._config.privacy, profile_id)
        line = orjson.dumps({"at": at, "by": by, "profile": profile}) + b"\n"
        try:
            written = self._room(self._folder)
            write_all(written.file, line)
        except OSError as error:
            self.close()  # after half a line none follows
            raise BusyError(
                f"audit: a read cannot be noted, got {error.strerror}, expected a disk with room. Try again"
            ) from error
        written.size += len(line)

    def close(self) -> None:
        """Leave what is there to whoever takes it over."""
        if self._written is not None:
            os.close(self._written.file)
            self._written = None

    def _has_log(self) -> bool:
        """Once there is a lake, it stays."""
        self._is_kept = self._is_kept or is_here(self._config)
        return self._is_kept

    def _room(self, folder: Path) -> SpoolFile:
        """A file that takes a line more."""
        if self._written is not None and self._written.size >= _SEGMENT_BYTES:
            self.close()
        if self._written is None:
            make_folder(folder)
            waiting = sum(path.stat().st_size for path in folder.glob(f"*{SUFFIX}"))
            if waiting > MOST_BYTES:
                raise BusyError(
                    f"audit: {waiting} bytes of reads wait for the audit log, expected at most {MOST_BYTES}. Start the background process"
                )
            self._written = created(folder / f"{self._clock_ns():020}-{os.getpid()}{SUFFIX}")
        return self._written

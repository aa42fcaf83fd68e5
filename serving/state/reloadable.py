"""Something made from files, made anew when they change; a faulty change keeps what was there and is told.

What a file says may be held against the online store. While that does not answer, the file is read again at every look.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from lakehouse.errors import StitchlakeError, StoreError

log = logging.getLogger("stitchlake.serving")
T = TypeVar("T")
_LOOK_SECONDS = 1.0
_DIGITS = 16


class Reloadable(Generic[T]):
    """`current` looks at the file's time at most once a second, and never raises.

    Any thread may ask. One reads; the others get what was there before, and wait only where nothing has ever been there: who
    relies on this must not take "being read" for "nothing there".

    `relies_on`: what `read` looks into. When one of these is read anew, this is too, so that a fault of theirs ends with it.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], T],
        *,
        relies_on: "Sequence[Reloadable[Any]]" = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = path.name
        self._path = path
        self._read = read
        self._relies_on = relies_on
        self._clock = clock
        self._reading = Lock()
        self._looked_at = -_LOOK_SECONDS
        self._stamp: tuple[int, ...] | None = None
        self._value: T | None = None
        self._version = 0
        self._digest: str | None = None
        self.fault: str | None = None

    @property
    def current(self) -> T | None:
        """None while nothing readable has ever been there; `fault` says why."""
        if self._clock() - self._looked_at >= _LOOK_SECONDS and self._reading.acquire(blocking=self._value is None):
            try:
                if self._clock() - self._looked_at >= _LOOK_SECONDS:
                    self._look()
            finally:
                self._reading.release()
        return self._value

    @property
    def is_there(self) -> bool:
        """Whether there is a file, readable or not."""
        return self._path.exists()

    @property
    def version(self) -> int:
        """How often it was read without a fault, by now."""
        return 0 if self.current is None else self._version

    @property
    def digest(self) -> str | None:
        """16 hex digits of the file that is in force; None while none is."""
        return None if self.current is None else self._digest

    def look(self) -> None:
        """Read the file now if it has changed."""
        with self._reading:
            self._look()

    def _look(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, *(other.version for other in self._relies_on))
            if stamp != self._stamp:
                self._stamp = stamp
                text = self._path.read_bytes() if self._path.is_file() else b""
                self._value = self._read(self._path)
                self._version += 1
                self._digest = hashlib.sha256(text).hexdigest()[:_DIGITS]
                self.fault = None
        except (OSError, StitchlakeError, ValueError) as error:
            if isinstance(error, StoreError):
                self._stamp = None  # no fault of the file, which may never change: it is read at the next look, too
            fault = str(error) if isinstance(error, StitchlakeError) else f"{self.name}: {_reason(error)}"
            if fault != self.fault:
                log.warning("%s; what was there before stays in force", fault)
            self.fault = fault
        finally:
            self._looked_at = self._clock()


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

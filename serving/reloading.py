"""Something made from files, made anew when they change; a faulty change keeps what was there and is told."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from lakehouse.errors import StitchlakeError

log = logging.getLogger("stitchlake.serving")
T = TypeVar("T")
_LOOK_SECONDS = 1.0


class Reloading(Generic[T]):
    """`current` looks at the file's time at most once a second, and never raises once something was read."""

    def __init__(self, path: Path, read: Callable[[Path], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = path.name
        self._path = path
        self._read = read
        self._clock = clock
        self._looked_at = -_LOOK_SECONDS
        self._stamp: tuple[int, int] | None = None
        self._value: T | None = None
        self.fault: str | None = None

    @property
    def current(self) -> T | None:
        """None while nothing readable has ever been there; `fault` says why."""
        now = self._clock()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self.look()
        return self._value

    def look(self) -> None:
        """Read the file if it has changed."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._value = self._read(self._path)
            self.fault = None
        except (OSError, StitchlakeError, ValueError) as error:
            fault = f"{self._path.name}: {error.strerror if isinstance(error, OSError) else error}"
            if fault != self.fault:
                log.warning("%s; what was there before stays in force", fault)
            self.fault = fault

"""Up to which moment all that a topic held is done: who acts on people must know that nothing said before is still unread.

The ends of the partitions are noted, and once everything before them is done, the moment they were noted at is reached. A failure
takes the moment back, whatever it was: what came meanwhile waits to be read, and only ends noted after it count.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

_LOOK_SECONDS = 1.0  # between a moment that is reached and the next


class ReadUpTo:
    """Kept by one thread; `age` may be asked by any. `clock`: seconds, never set back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reached_at: float | None = None
        self._noted_at = 0.0
        self._ends: Mapping[Any, int] | None = None

    def age(self) -> float:
        """Seconds since the moment up to which everything is done; infinite while nobody knows."""
        reached_at = self._reached_at
        return math.inf if reached_at is None else self._clock() - reached_at

    def lost(self) -> None:
        """Something could not be read or done."""
        self._reached_at = self._ends = None

    def look(self, ends: Callable[[], Mapping[Any, int]], done: Callable[[], Mapping[Any, int]]) -> None:
        """Note the ends where that is due, and see whether they are reached.

        Args:
            ends: of each partition the offset after its last record, as of now; none while the partitions are not known.
            done: of each partition the offset before which everything is done, by whoever does it.
        """
        if self._ends is None and self.age() >= _LOOK_SECONDS:
            self._noted_at = self._clock()
            self._ends = ends()
        if not self._ends:
            self._ends = None
            return
        offsets = done()
        if all(offsets.get(partition, 0) >= end for partition, end in self._ends.items()):
            self._reached_at, self._ends = self._noted_at, None

"""Whose turn it is: of all that counts for one cap of one person, in whatever destination, one action is under way at a time.

Otherwise two destinations could look at a cap in the same instant, and each find room for its own.
"""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from threading import Lock


class Turns:
    """Of the workers of one process; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: set[str] = set()

    @contextmanager
    def of(self, subjects: Set[str]) -> Iterator[bool]:
        """Whether nothing is under way for any of them, and then nothing else is until left. Never waits."""
        with self._lock:
            is_free = self._under_way.isdisjoint(subjects)
            if is_free:
                self._under_way |= subjects
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._under_way -= subjects

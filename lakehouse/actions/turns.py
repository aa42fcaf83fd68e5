"""Whose turn it is: of all that waits for one person, in whatever destination, one action is under way at a time.

Otherwise two destinations could look at a cap in the same instant, and each find room for its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Turns:
    """Of the workers of one process; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: set[str] = set()

    @contextmanager
    def of(self, person: str) -> Iterator[bool]:
        """Whether it is this one's turn, and then it is nobody else's until left. Never waits."""
        with self._lock:
            is_free = person not in self._under_way
            self._under_way.add(person)
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._under_way.remove(person)

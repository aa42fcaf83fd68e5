"""Whose turn it is: of all that counts for one cap of one person, in whatever destination, one decision is under way at a time.

Otherwise two destinations could look at a cap in the same instant, and each find room for its own.
"""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from threading import Lock


class Turns:
    """Of the workers of one process; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: list[tuple[str, Set[str]]] = []

    @contextmanager
    def of(self, decision_id: str, subjects: Set[str]) -> Iterator[bool]:
        """Whether no other decision is under way for any of the subjects, and then none is until left. Never waits.

        One decision counts once, through however many destinations: those need not wait for each other.
        """
        mine = (decision_id, subjects)
        with self._lock:
            is_free = all(
                other_id == decision_id or subjects.isdisjoint(other_subjects)
                for other_id, other_subjects in self._under_way
            )
            if is_free:
                self._under_way.append(mine)
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._under_way.remove(mine)

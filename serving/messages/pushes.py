"""What is pushed to a listener: bounded, so that a slow one costs little, and is told what it misses."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

M = TypeVar("M")


class Outbox(Generic[M]):
    """What waits to be sent to one listener: at most `most` messages. Beyond, all of them give way to `resync`.

    Whoever is told to resync reads anew what it keeps; what is pushed afterwards comes as ever.
    """

    def __init__(self, most: int, resync: M) -> None:
        self._most = most
        self._resync = resync
        self._waiting: deque[M] = deque()
        self._has_some = asyncio.Event()
        self._is_ended = False

    def put(self, message: M) -> bool:
        """False when the listener is too far behind, and is told so instead."""
        is_full = len(self._waiting) >= self._most
        if is_full:
            self._waiting.clear()
        self._waiting.append(self._resync if is_full else message)
        self._has_some.set()
        return not is_full

    def end(self) -> None:
        """Nothing more is sent, also of what waits."""
        self._is_ended = True
        self._has_some.set()

    async def next(self) -> M | None:
        """The oldest that waits; None after the end."""
        while not self._waiting and not self._is_ended:
            self._has_some.clear()
            await self._has_some.wait()
        return None if self._is_ended else self._waiting.popleft()

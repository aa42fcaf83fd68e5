"""Whether the process keeps up: how late its event loop is, and how many decisions are worked on at once.

An event loop that is late has requests waiting in it that nobody counts; so the lateness of a timer is the honest
measure. Under pressure decisions are answered from the last rung of the ladder, which costs a fraction.
"""

import asyncio

_TICK_SECONDS = 0.005
LATE_SECONDS = 0.015


class Pressure:
    """`is_high` costs one clock reading. `start` once the loop runs."""

    def __init__(self, most_at_once: int, late_seconds: float = LATE_SECONDS) -> None:
        self._most_at_once = most_at_once
        self._late_seconds = late_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_tick = 0.0
        self.at_once = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to measure how late the loop is."""
        self._loop = loop
        self._tick()

    def stop(self) -> None:
        """Measure no more: nothing is late then."""
        self._loop = None

    @property
    def late_seconds(self) -> float:
        """How long the next tick is overdue; 0 = the loop is in time."""
        return 0.0 if self._loop is None else max(0.0, self._loop.time() - self._next_tick)

    @property
    def is_high(self) -> bool:
        """More at once, or later, than the process can keep up with."""
        return self.at_once > self._most_at_once or self.late_seconds > self._late_seconds

    def _tick(self) -> None:
        if self._loop is not None:
            self._next_tick = self._loop.time() + _TICK_SECONDS
            self._loop.call_later(_TICK_SECONDS, self._tick)

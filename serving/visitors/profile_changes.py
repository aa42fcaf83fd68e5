"""Profiles that changed, as the lake publishes them: told to every cache that listens."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import orjson

log = logging.getLogger("stitchlake.serving")
_MOST_WAITING = 10_000
_HEARTBEAT_SECONDS = 15.0


class Changes:
    """Handles the records of the changes topic, in the loop."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[bytes]] = set()

    def handle(self, values: Sequence[bytes]) -> None:
        """Tell every listener; one that is too far behind misses it."""
        for value in values:
            try:
                orjson.loads(value)["profile_id"]
            except (orjson.JSONDecodeError, TypeError, KeyError):
                log.warning("changes topic: a record names no profile, got %d bytes; left out", len(value))
                continue
            for listener in self._listeners:
                if not listener.full():
                    listener.put_nowait(value)

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events. Source: HTML standard, section 9.2. A comment now and then keeps the connection open."""
        waiting: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._listeners.add(waiting)
        try:
            yield b": profiles that change\n\n"
            while True:
                try:
                    value = await asyncio.wait_for(waiting.get(), _HEARTBEAT_SECONDS)
                    yield b"event: profile\ndata: " + value + b"\n\n"
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(waiting)

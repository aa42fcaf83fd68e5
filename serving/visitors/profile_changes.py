"""Profiles that changed, as the lake publishes them: told to every cache that listens, by server-sent events.

Source: HTML standard, section 9.2. The id of an event is how far the topic had been read: `partition:next offset`, joined by
dots. Every process reads the same topic, so any of them can go on from an id that another gave, as long as it remembers so far back.
Where it does not, and where a listener is too slow, the event `resync` says that changes are missing.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import orjson

from serving.kafka.topic_reader import Received
from serving.messages.pushes import Outbox

log = logging.getLogger("stitchlake.serving")
_MOST_WAITING = 10_000
_MOST_REMEMBERED = 10_000
_HEARTBEAT_SECONDS = 15.0
_ID = re.compile(r"\d{1,6}:\d{1,18}(\.\d{1,6}:\d{1,18}){0,999}", re.ASCII)
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")  # a line break ends an event; in JSON it is no more than a blank
Positions = Mapping[int, int]  # partition -> offset of the next record
_RESYNC = b"event: resync\ndata: {}\n\n"


class Changes:
    """Handles the records of the changes topic, in the loop."""

    def __init__(self, *, most_waiting: int = _MOST_WAITING, most_remembered: int = _MOST_REMEMBERED) -> None:
        self._listeners: set[Outbox[bytes]] = set()
        self._most_waiting = most_waiting
        self._most_remembered = most_remembered
        self._remembered: deque[tuple[int, int, bytes]] = deque()  # partition, offset, event
        self._next: dict[int, int] = {}
        self._first: dict[int, int] = {}  # of each partition: every record from here on is remembered

    def begin(self, positions: Positions) -> None:
        """Reading starts there, for the first time or again after a fault: then whoever listens misses what lies between."""
        if self._next:
            self._tell(_RESYNC)
        self._remembered.clear()
        self._next, self._first = dict(positions), dict(positions)

    def handle(self, records: Sequence[Received]) -> None:
        """Tell every listener; one that is too far behind is told that it misses some."""
        for record in records:
            self._first.setdefault(record.partition, record.offset)
            self._next[record.partition] = record.offset + 1
            try:
                orjson.loads(record.value)["profile_id"]
            except (orjson.JSONDecodeError, TypeError, KeyError):
                log.warning("changes topic: a record names no profile, got %d bytes; left out", len(record.value))
                continue
            event = self._event(b"profile", record.value.translate(_ONE_LINE))
            self._remember(record, event)
            self._tell(event)

    def _tell(self, event: bytes) -> None:
        for listener in self._listeners:
            listener.put(event)

    def _remember(self, record: Received, event: bytes) -> None:
        self._remembered.append((record.partition, record.offset, event))
        if len(self._remembered) > self._most_remembered:
            partition, offset, _ = self._remembered.popleft()
            self._first[partition] = offset + 1

    def _event(self, name: bytes, data: bytes) -> bytes:
        read = ".".join(f"{partition}:{offset}" for partition, offset in sorted(self._next.items()))
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (read.encode(), name, data)

    async def stream(self, last_id: str = "") -> AsyncIterator[bytes]:
        """Server-sent events from now on, or from after `last_id`. A comment now and then keeps the connection open."""
        waiting: Outbox[bytes] = Outbox(self._most_waiting, _RESYNC)
        missed = self._since(last_id) if last_id else []  # in one step with listening: nothing can come between
        self._listeners.add(waiting)
        try:
            yield b": profiles that change\n\n"
            for event in missed:
                yield event
            while True:
                try:
                    event_or_end = await asyncio.wait_for(waiting.next(), _HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event_or_end is None:
                    return
                yield event_or_end
        finally:
            self._listeners.discard(waiting)

    def _since(self, last_id: str) -> list[bytes]:
        """The events after an id; that some are missing, where it is none or goes further back than what is remembered."""
        seen = _positions(last_id)
        is_whole = bool(self._next) and seen.keys() == self._next.keys()
        if not is_whole or any(not self._first[part] <= seen[part] <= self._next[part] for part in seen):
            return [self._event(b"resync", b"{}")]
        return [event for partition, offset, event in self._remembered if offset >= seen[partition]]

    def end(self) -> None:
        """Every stream ends; whoever listens comes again, with the id it was told last."""
        for listener in self._listeners:
            listener.end()


def _positions(last_id: str) -> Positions:
    """Nothing where it is no id."""
    if _ID.fullmatch(last_id) is None:
        return {}
    pairs = (part.split(":") for part in last_id.split("."))
    return {int(partition): int(offset) for partition, offset in pairs}

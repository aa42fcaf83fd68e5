"""Open-loop HTTP load: request n is due n / rate after the start whatever became of those before it.

A wait counts from when a request was due, not from when a connection was free for it, so a server that stalls cannot
slow its own load down (no coordinated omission). Raw HTTP/1.1 over kept-open connections: the client must not be what
is measured.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

CONNECTIONS = 64
_GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """Milliseconds of every request, from due to answered; how many answers came with which status, how many degraded."""

    milliseconds: np.ndarray
    statuses: Counter[int]
    offered: int
    degraded: int

    def quantile(self, share: float) -> float:
        """Milliseconds; unanswered requests count as endless."""
        missing = self.offered - len(self.milliseconds)
        return float(np.quantile(np.concatenate([self.milliseconds, np.full(missing, np.inf)]), share, method="higher"))

    @property
    def all_fine(self) -> bool:
        return self.statuses[200] == self.offered


class _Connection(asyncio.Protocol):
    """One request at a time; tells `on_answer` status and when it came."""

    def __init__(self, on_answer: Callable[["_Connection", int, bool], None]) -> None:
        self._on_answer = on_answer
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.due = 0.0

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self.due = due
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : (head.find(b"\r\n", at) + 1 or len(head) + 1) - 1])
        if len(self._buffer) >= end + 4 + length:
            status, is_degraded = int(head[9:12]), b'"degraded":true' in self._buffer
            self._buffer.clear()
            self._on_answer(self, status, is_degraded)


def run_load(port: int, requests: Callable[[int], bytes], *, rate: float, seconds: float, warm_up: float = 2.0) -> Load:
    """Send `requests(n)` for n = 0, 1, ... at `rate` a second; those of the warm-up are not counted."""
    import uvloop

    return uvloop.run(_Run(rate=rate, seconds=seconds, warm_up=warm_up).load(port, requests))


class _Run:
    """One load: what is due, what is free to carry it, what came back."""

    def __init__(self, *, rate: float, seconds: float, warm_up: float) -> None:
        self._rate = rate
        self._total = int(rate * (seconds + warm_up))
        self._first_counted = int(rate * warm_up)
        self._counted_from = 0.0
        self._waits: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._degraded = 0
        self._answered = 0
        self._free: deque[_Connection] = deque()
        self._queue: deque[tuple[float, bytes]] = deque()
        self._all_answered = asyncio.Event()

    async def load(self, port: int, requests: Callable[[int], bytes]) -> Load:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(lambda: _Connection(self._on_answer), "127.0.0.1", port)
            self._free.append(connection)
        start = time.perf_counter()
        self._counted_from = start + self._first_counted / self._rate
        for number in range(self._total):
            due = start + number / self._rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))  # also when late: answers must be taken in
            if self._free:
                self._free.popleft().send(due, requests(number))
            else:
                self._queue.append((due, requests(number)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), _GIVE_UP_SECONDS)
        for connection in self._free:
            connection.close()
        return Load(
            milliseconds=np.array(self._waits) * 1000,
            statuses=self._statuses,
            offered=self._total - self._first_counted,
            degraded=self._degraded,
        )

    def _on_answer(self, connection: _Connection, status: int, is_degraded: bool) -> None:
        self._answered += 1
        if connection.due >= self._counted_from:
            self._waits.append(time.perf_counter() - connection.due)
            self._statuses[status] += 1
            self._degraded += is_degraded
        if self._queue:
            connection.send(*self._queue.popleft())
        else:
            self._free.append(connection)
        if self._answered == self._total:
            self._all_answered.set()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body

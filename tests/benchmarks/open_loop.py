"""Open-loop HTTP load: request n is due n / rate after the start whatever became of those before it.

A wait counts from when a request was due, not from when a connection was free for it, so a server that stalls cannot
slow its own load down (no coordinated omission). Raw HTTP/1.1 over kept-open connections: the client must not be what
is measured.
"""

import asyncio
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
    """Milliseconds of every request, from due to answered; how many answers came with which status."""

    milliseconds: np.ndarray
    statuses: Counter[int]
    offered: int

    def quantile(self, share: float) -> float:
        """Milliseconds; unanswered requests count as endless."""
        missing = self.offered - len(self.milliseconds)
        return float(np.quantile(np.concatenate([self.milliseconds, np.full(missing, np.inf)]), share, method="higher"))

    @property
    def all_fine(self) -> bool:
        return self.statuses[200] == self.offered


class _Connection(asyncio.Protocol):
    """One request at a time; tells `on_answer` status and when it came."""

    def __init__(self, on_answer: Callable[["_Connection", int], None]) -> None:
        self._on_answer = on_answer
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : (head.find(b"\r\n", at) + 1 or len(head) + 1) - 1])
        if len(self._buffer) >= end + 4 + length:
            status = int(head[9:12])
            self._buffer.clear()
            self._on_answer(self, status)


def run_load(port: int, requests: Callable[[int], bytes], *, rate: float, seconds: float, warm_up: float = 2.0) -> Load:
    """Send `requests(n)` for n = 0, 1, ... at `rate` a second; those of the warm-up are not counted."""
    import uvloop

    return uvloop.run(_load(port, requests, rate, seconds, warm_up))


async def _load(port: int, requests: Callable[[int], bytes], rate: float, seconds: float, warm_up: float) -> Load:
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    statuses: Counter[int] = Counter()
    free: deque[_Connection] = deque()
    queue: deque[tuple[float, bytes]] = deque()
    counted_from = time.perf_counter() + warm_up
    total, counted = int(rate * (seconds + warm_up)), 0
    answered = 0
    all_answered = loop.create_future()

    def on_answer(connection: _Connection, status: int) -> None:
        nonlocal answered
        answered += 1
        if connection.due >= counted_from:
            waits.append(time.perf_counter() - connection.due)
            statuses[status] += 1
        if queue:
            send(connection, *queue.popleft())
        else:
            free.append(connection)
        if answered == total and not all_answered.done():
            all_answered.set_result(None)

    def send(connection: _Connection, due: float, request: bytes) -> None:
        connection.due = due
        assert connection.transport is not None
        connection.transport.write(request)

    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: _Connection(on_answer), "127.0.0.1", port)
        free.append(connection)
    start = time.perf_counter()
    counted_from = start + warm_up
    for number in range(total):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))  # also when late: answers must be taken in
        counted += due >= counted_from
        if free:
            send(free.popleft(), due, requests(number))
        else:
            queue.append((due, requests(number)))
    await asyncio.wait([all_answered], timeout=_GIVE_UP_SECONDS)
    while free:
        transport = free.popleft().transport
        assert transport is not None
        transport.close()
    return Load(milliseconds=np.array(waits) * 1000, statuses=statuses, offered=counted)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body

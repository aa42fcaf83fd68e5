"""Who listens for decisions over a WebSocket, by each identifier they named: pushed as they are made.

A message's id is its decision_id. Who lost its connection names the last it got; when there was another since, it is told to ask anew. It is
not sent again: whether somebody may still be reached is asked right before something leaves, and a decision asks.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from starlette.websockets import WebSocket, WebSocketDisconnect

from lakehouse.decisions.gate import Permitted
from serving.messages.pushes import Outbox

log = logging.getLogger("stitchlake.serving")
_MOST_WAITING = 100  # messages a listener may be behind
_MOST_REMEMBERED = 2_000  # ids of messages of the process
RESYNC = b'{"resync":true}'


class Listener:
    """One connection and what waits to be sent to it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._waiting: Outbox[bytes] = Outbox(_MOST_WAITING, RESYNC)

    def push(self, message: bytes) -> bool:
        """False when the listener is too slow; it is then told that it misses messages."""
        return self._waiting.put(message)

    def end(self) -> None:
        """Cut the connection off; what waits is not sent."""
        self._waiting.end()

    async def run(self) -> None:
        """Send what is pushed until either side ends."""
        reader = asyncio.create_task(self._read_until_closed())
        try:
            while (message := await self._waiting.next()) is not None:
                await self._socket.send_text(message.decode())
        except (WebSocketDisconnect, RuntimeError):
            return  # gone in the middle of a message
        finally:
            reader.cancel()

    async def _read_until_closed(self) -> None:
        try:
            while True:
                await self._socket.receive_text()  # a listener has nothing to say; a ping of its own is fine
        except (WebSocketDisconnect, RuntimeError, KeyError):
            self.end()


class Sockets:
    """Listeners by key, such as `anonymous_id:a-77` or `session:s-1`."""

    def __init__(self, *, most_remembered: int = _MOST_REMEMBERED) -> None:
        self._by_key: dict[str, set[Listener]] = defaultdict(set)
        self._pushed: deque[tuple[str, frozenset[str]]] = deque(maxlen=most_remembered)
        self.pushed = 0

    def add(self, listener: Listener, keys: Sequence[str], after: str | None = None) -> None:
        """From now on the listener hears what is pushed under any of the keys; RESYNC, where it missed something since `after`."""
        if after is not None and not self._is_newest(after, keys):
            listener.push(RESYNC)
        for key in keys:
            self._by_key[key].add(listener)

    def _is_newest(self, after: str, keys: Sequence[str]) -> bool:
        """Whether that message was the last pushed to the keys; false where it is not remembered, or was for somebody else."""
        return next((id_ for id_, told in reversed(self._pushed) if not told.isdisjoint(keys)), None) == after

    def remove(self, listener: Listener, keys: Iterable[str]) -> None:
        """The listener hears no more under these keys."""
        for key in keys:
            self._by_key[key].discard(listener)
            if not self._by_key[key]:
                del self._by_key[key]

    def listeners(self, keys: Iterable[str]) -> set[Listener]:
        """Those who listen under any of the keys, each once."""
        return {listener for key in keys for listener in self._by_key.get(key, ())}

    def push(self, keys: Sequence[str], id_: str, message: Permitted[bytes]) -> int:
        """To everybody who listens under any of the keys, once each; how many they were."""
        self.missed(keys, id_)
        reached = sum(listener.push(message.what) for listener in self.listeners(keys))
        self.pushed += reached
        return reached

    def missed(self, keys: Sequence[str], id_: str) -> None:
        """A message for the keys; whoever does not listen now is told of it when they name an older one."""
        self._pushed.append((id_, frozenset(keys)))

    def end(self) -> None:
        """Cut everybody off."""
        for listener in {listener for listeners in self._by_key.values() for listener in listeners}:
            listener.end()

    @property
    def count(self) -> int:
        """Connections, each once."""
        return len({listener for listeners in self._by_key.values() for listener in listeners})

"""Who listens for decisions over a WebSocket, by each identifier they named: pushed as they are made."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

from starlette.websockets import WebSocket, WebSocketDisconnect

from lakehouse.decisions.gate import Permitted

log = logging.getLogger("stitchlake.serving")
_MOST_WAITING = 100  # messages a listener may be behind; beyond, it is cut off and may come again


class Listener:
    """One connection and what waits to be sent to it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)

    def push(self, message: bytes) -> bool:
        """False when the listener is too slow; it is then cut off."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.end()
            return False
        return True

    def end(self) -> None:
        """Cut the connection off; what waits is not sent."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Send what is pushed until either side ends."""
        reader = asyncio.create_task(self._read_until_closed())
        try:
            while (message := await self._waiting.get()) is not None:
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

    def __init__(self) -> None:
        self._by_key: dict[str, set[Listener]] = defaultdict(set)
        self.pushed = 0

    def add(self, listener: Listener, keys: Iterable[str]) -> None:
        """From now on the listener hears what is pushed under any of the keys."""
        for key in keys:
            self._by_key[key].add(listener)

    def remove(self, listener: Listener, keys: Iterable[str]) -> None:
        """The listener hears no more under these keys."""
        for key in keys:
            self._by_key[key].discard(listener)
            if not self._by_key[key]:
                del self._by_key[key]

    def listeners(self, keys: Iterable[str]) -> set[Listener]:
        """Those who listen under any of the keys, each once."""
        return {listener for key in keys for listener in self._by_key.get(key, ())}

    def push(self, keys: Iterable[str], message: Permitted[bytes]) -> int:
        """To everybody who listens under any of the keys, once each; how many they were."""
        reached = sum(listener.push(message.what) for listener in self.listeners(keys))
        self.pushed += reached
        return reached

    @property
    def count(self) -> int:
        """Connections, each once."""
        return len({listener for listeners in self._by_key.values() for listener in listeners})

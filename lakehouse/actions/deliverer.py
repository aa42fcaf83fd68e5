"""From the queue into the store, and a worker with a thread of its own for each destination."""

import base64
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event, Thread

import orjson

from lakehouse.actions import delivery as deliveries
from lakehouse.actions.action import Action
from lakehouse.actions.delivery import Delivery
from lakehouse.actions.worker import Worker
from lakehouse.errors import ActionError
from lakehouse.online.store import Document, OnlineStore

log = logging.getLogger("stitchlake.actions")
Bury = Callable[[str, bytes], None]
"""Key and value of a message of the dead topic; returns once the broker has it."""
_STOP_SECONDS = 15.0


class Deliverer:
    """`accept` is called by one thread; workers run in theirs and touch nothing but the store."""

    def __init__(self, store: OnlineStore, workers: Sequence[Worker], *, bury: Bury, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._workers = {worker.destination: worker for worker in workers}
        self._bury = bury
        self._now_ms = now_ms
        self._stopped = Event()
        self._threads: list[Thread] = []

    def accept(self, values: Iterable[bytes | None]) -> int:
        """Take actions over from the queue; how many. The same again changes nothing.

        The document comes before its timer: a crash between them is mended when the queue is read again.

        Raises:
            StoreError: the store does not answer; to be called again with the same.
        """
        actions = [action for value in values if (action := self._read(value)) is not None]
        now_ms = self._now_ms()
        fresh = [deliveries.first(action, now_ms) for action in {action.id: action for action in actions}.values()]
        self._store.put(
            Document(deliveries.ATTEMPTS_KEY + delivery.id, delivery.version, delivery.encode()) for delivery in fresh
        )
        held = self._store.get([deliveries.ATTEMPTS_KEY + delivery.id for delivery in fresh])
        for delivery, data in zip(fresh, held, strict=True):
            if delivery.action is not None and data is not None and Delivery.decode(delivery.id, data).is_untouched:
                self._workers[delivery.action.destination].arm(delivery.id, now_ms)
        return len(fresh)

    def start(self) -> None:
        """One thread for each destination, until `stop`."""
        for worker in self._workers.values():
            thread = Thread(target=worker.run, args=(self._stopped,), name=f"to-{worker.destination}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Attempts under way are ended; what is due stays due."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Destination -> sent, retried, suppressed, failed since the start."""
        return {name: dict(worker.counts) for name, worker in self._workers.items()}

    def _read(self, value: bytes | None) -> Action | None:
        """None for what cannot be done at all: it is buried at once."""
        try:
            action = Action.decode(value)
        except ActionError as error:
            log.warning("%s", error)
            message = {"reason": str(error), "value_base64": base64.b64encode(value or b"").decode()}
            self._bury("", orjson.dumps(message))
            return None
        if action.destination not in self._workers:
            self._bury(action.id, dead_message(action, "no such destination"))
            return None
        return action


def dead_message(action: Action, reason: str) -> bytes:
    """JSON {reason, action}: everything needed to queue it again by hand."""
    return orjson.dumps({"reason": reason, "action": action.model_dump()})

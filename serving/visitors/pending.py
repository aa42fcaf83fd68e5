"""What was seen but is not in the online store yet: it counts at once, and no request waits for a write.

Visitors' newest behaviour and decisions lie here until one writer thread has put them into the store. A store that
is down keeps them waiting, up to a bound; what falls over it is counted and still in Kafka, from where the background
process writes the same.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Condition, Event, Thread

from lakehouse.errors import StoreError
from lakehouse.online.store import Document, Entry, OnlineStore

log = logging.getLogger("stitchlake.serving")
_RETRY_SECONDS = 1.0
_GATHER_SECONDS = 0.01  # what comes together is written together


class Pending:
    """Appended timeline entries and documents, readable at once, written behind by one thread. `store`: where to. `keep`, `keep_ms`: of a timeline, see its `append`."""

    def __init__(self, store: OnlineStore, *, keep: int, keep_ms: int | None = None, most: int = 50_000) -> None:
        self.store = store
        self._keep = keep
        self._keep_ms = keep_ms
        self._most = most
        self._entries: OrderedDict[str, list[Entry]] = OrderedDict()
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._wake = Condition()
        self._is_idle = False  # the writer waits: waking it at every turn would cost more than the write
        self._closing = Event()
        self.dropped = 0
        self._thread = Thread(target=self._write_behind, name="online-writer", daemon=True)
        self._thread.start()

    def append(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Timeline and entry: readable at once, written soon."""
        with self._wake:
            for key, entry in entries:
                self._entries.setdefault(key, []).append(entry)
            self._bound(self._entries)
            self._rouse()

    def put(self, documents: Iterable[Document]) -> None:
        """Readable at once, written soon; of one key the last."""
        with self._wake:
            for document in documents:
                self._documents[document.key] = document
            self._bound(self._documents)
            self._rouse()

    def timelines(self, keys: Sequence[str]) -> dict[str, list[Entry]]:
        """Entries of these timelines that wait to be written; nothing for a timeline without any."""
        if not self._entries:
            return {}
        with self._wake:
            return {key: list(entries) for key in keys if (entries := self._entries.get(key)) is not None}

    def documents(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """The values of those of these documents that wait to be written."""
        if not (waiting := self._documents):
            return {}
        return {key: document.value for key in keys if (document := waiting.get(key)) is not None}

    def close(self) -> None:
        """Write what waits, for some seconds, and end."""
        self._closing.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(timeout=2)

    def _rouse(self) -> None:
        if self._is_idle:
            self._is_idle = False
            self._wake.notify()

    def _bound(self, waiting: "OrderedDict[str, list[Entry]] | OrderedDict[str, Document]") -> None:
        while len(waiting) > self._most:
            waiting.popitem(last=False)
            self.dropped += 1

    def _write_behind(self) -> None:
        while True:
            with self._wake:
                self._is_idle = True
                self._wake.wait_for(lambda: self._closing.is_set() or self._entries or self._documents)
                self._is_idle = False
            self._closing.wait(_GATHER_SECONDS)
            with self._wake:
                entries = {key: list(waiting) for key, waiting in self._entries.items()}
                documents = list(self._documents.values())
            if not entries and not documents:
                return
            try:
                self._write(entries, documents)
            except StoreError as error:
                log.warning("online store: newest behaviour not written, tried again: %s", error)
                if self._closing.wait(_RETRY_SECONDS):
                    return

    def _write(self, entries: dict[str, list[Entry]], documents: list[Document]) -> None:
        if entries:
            self.store.append(entries, keep=self._keep, keep_ms=self._keep_ms)
        if documents:
            self.store.put(documents)
        with self._wake:
            for key, written in entries.items():
                self._forget(key, len(written))
            for document in documents:
                if self._documents.get(document.key) is document:
                    del self._documents[document.key]

    def _forget(self, key: str, count: int) -> None:
        rest = self._entries.get(key, [])[count:]
        if rest:
            self._entries[key] = rest
        else:
            self._entries.pop(key, None)

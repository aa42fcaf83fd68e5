"""Which products cannot be bought: told to the API, kept in the online store, in memory for every decision."""

import asyncio
import logging
import time
from collections.abc import Callable

from lakehouse.errors import StoreError
from lakehouse.online.fact_documents import STOCK
from lakehouse.online.store import OnlineStore

log = logging.getLogger("stitchlake.serving")
READ_SECONDS = 5.0  # how soon other processes of the service know


class Stock:
    """The set of unavailable products, read anew every few seconds.

    What this process was told holds for two readings, whatever they say: its own write may still be on the way.
    """

    def __init__(self, store: OnlineStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._told: dict[str, tuple[float, bool]] = {}  # product -> until when, whether it is available
        self.unavailable: frozenset[str] = frozenset()

    def read(self) -> None:
        """Blocks while the store is read; keeps what was known when it cannot be."""
        try:
            stored = {key.removeprefix(STOCK) for key, _ in self._store.scan(STOCK)}
        except StoreError as error:
            log.warning("online store: unavailable products not read, those known stay so: %s", error)
            return
        now = self._clock()
        self._told = {product_id: told for product_id, told in self._told.items() if told[0] > now}
        for product_id, (_, is_available) in self._told.items():
            (stored.discard if is_available else stored.add)(product_id)
        self.unavailable = frozenset(stored)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            await asyncio.to_thread(self.read)

    def set(self, product_ids: tuple[str, ...], *, is_available: bool) -> None:
        """From the next decision on; the store is written by the caller."""
        until = self._clock() + 2 * READ_SECONDS
        self._told |= dict.fromkeys(product_ids, (until, is_available))
        changed = frozenset(product_ids)
        self.unavailable = self.unavailable - changed if is_available else self.unavailable | changed

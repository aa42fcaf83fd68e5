"""Which products cannot be bought: told to the API, kept in the online store, in memory for every decision."""

import asyncio
import logging

from lakehouse.errors import StoreError
from lakehouse.online_store import OnlineStore

log = logging.getLogger("stitchlake.serving")
PREFIX = "u:"
_READ_SECONDS = 5.0  # how soon other processes of the service know


class Stock:
    """The set of unavailable products, read anew every few seconds."""

    def __init__(self, store: OnlineStore) -> None:
        self._store = store
        self.unavailable: frozenset[str] = frozenset()

    def read(self) -> None:
        """Blocks while the store is read; keeps what was known when it cannot be."""
        try:
            self.unavailable = frozenset(key.removeprefix(PREFIX) for key, _ in self._store.scan(PREFIX))
        except StoreError as error:
            log.warning("online store: unavailable products not read, those known stay so: %s", error)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_READ_SECONDS)
            await asyncio.to_thread(self.read)

    def set(self, product_ids: tuple[str, ...], *, is_available: bool) -> None:
        changed = frozenset(product_ids)
        self.unavailable = self.unavailable - changed if is_available else self.unavailable | changed

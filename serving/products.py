"""Which products cannot be bought: told to the API, kept in the online store, in memory for every decision."""

import asyncio
import logging

from lakehouse.errors import StoreError
from lakehouse.online_store import Document, OnlineStore
from serving.requests import AvailabilityRequest
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
_PREFIX = "u:"
_READ_SECONDS = 5.0  # how soon other processes of the service know


class Unavailable:
    """The set of unavailable products, read anew every few seconds."""

    def __init__(self, store: OnlineStore) -> None:
        self._store = store
        self.products: frozenset[str] = frozenset()

    def read(self) -> None:
        """Blocks while the store is read; keeps what was known when it cannot be."""
        try:
            self.products = frozenset(key.removeprefix(_PREFIX) for key, _ in self._store.scan(_PREFIX))
        except StoreError as error:
            log.warning("online store: unavailable products not read, those known stay so: %s", error)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_READ_SECONDS)
            await asyncio.to_thread(self.read)

    def set(self, product_ids: tuple[str, ...], *, is_available: bool) -> None:
        changed = frozenset(product_ids)
        self.products = self.products - changed if is_available else self.products | changed


async def set_availability(service: Service, request: AvailabilityRequest) -> dict[str, object]:
    """From the next decision on."""
    at_ms = int(service.clock().timestamp() * 1000)
    value = None if request.is_available else b"1"
    service.unavailable.set(request.product_ids, is_available=request.is_available)
    service.pending.put(Document(f"{_PREFIX}{product_id}", at_ms, value) for product_id in request.product_ids)
    return {"product_ids": list(request.product_ids), "is_available": request.is_available}

"""What has ended is let go of: decisions nobody waits for any more, timelines of who has not been here for long."""

import asyncio
import logging
from collections.abc import Callable, Collection

from lakehouse.errors import StoreError
from lakehouse.online.store import OnlineStore

log = logging.getLogger("stitchlake.serving")
_LOOK_SECONDS = 5.0
_AT_ONCE = 200  # others wait that long to write


async def let_go(stores: Collection[OnlineStore], now_ms: Callable[[], int]) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for store in stores:
            try:
                while await asyncio.to_thread(store.expire, now_ms(), _AT_ONCE) == _AT_ONCE:
                    pass
            except StoreError as error:
                log.warning("online store: what has ended is not let go of yet: %s", error)

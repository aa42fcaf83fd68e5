"""Every store is asked to let go of what has ended, all of it, and one that is away is asked again."""

import asyncio
from typing import Any

import pytest

from lakehouse.errors import StoreError
from serving.state import expiry


class Store:
    """Has `left` things that ended; does not answer the first time."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.asked: list[int] = []

    def expire(self, now_ms: int, limit: int) -> int:
        self.asked.append(now_ms)
        if len(self.asked) == 1:
            raise StoreError("away")
        gone = min(self.left, limit)
        self.left -= gone
        return gone


def test_all_that_has_ended_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_LOOK_SECONDS", 0.0)
    stores: list[Any] = [Store(450), Store(0)]

    async def until_empty() -> None:
        task = asyncio.create_task(expiry.let_go(stores, lambda: 7))
        async with asyncio.timeout(30):
            while any(store.left or len(store.asked) < 3 for store in stores):
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(until_empty())
    assert {at for store in stores for at in store.asked} == {7}

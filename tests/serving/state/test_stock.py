"""Which products are unavailable: told to this process, read from the store, whichever is newer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.online.engines import open_store
from lakehouse.online.fact_documents import STOCK
from lakehouse.online.store import Document, OnlineStore
from serving.state.stock import READ_SECONDS, Stock


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = open_store(f"lmdb://{tmp_path}/online")
    yield opened
    opened.close()


def test_what_was_told_holds_while_its_write_is_on_the_way(store: OnlineStore) -> None:
    clock = Clock()
    stock = Stock(store, clock)
    store.put([Document(f"{STOCK}old", 1, b"1")])
    stock.set(("new",), is_available=False)
    stock.set(("old",), is_available=True)
    stock.read()
    assert stock.unavailable == {"new"}
    clock.now = 3 * READ_SECONDS  # by then the store knows, and other processes may have said otherwise
    stock.read()
    assert stock.unavailable == {"old"}

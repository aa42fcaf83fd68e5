"""Several processes count what is due at the same time, in either engine: each exposure once."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse.bandits.learned import Settled
from lakehouse.bandits.state import Policy
from lakehouse.learning.exposure import WAITING, waiting
from lakehouse.learning.learned_store import SETTLE_MS, LearnedStore
from lakehouse.learning.reward import Outcome, Reward
from lakehouse.online.engines import open_store
from lakehouse.online.store import MOST, Entry, OnlineStore

REWARD = Reward(metric="converted", is_higher_better=True, window_ms=1000)
POLICY = Policy(kind="thompson")
_number = itertools.count()


@pytest.fixture(params=["lmdb", "redis"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[OnlineStore]]:
    """Four processes' views of one store."""
    url = f"lmdb://{tmp_path}/kept"
    if request.param == "redis":
        url = f"{request.getfixturevalue('redis_url')}/{next(_number) % 16}"
    opened = [open_store(url, timeout_ms=5000) for _ in range(4)]
    if request.param == "redis":
        opened[0]._redis.flushdb()  # type: ignore[attr-defined]
    yield opened
    for store in opened:
        store.close()


def exposures(count: int) -> list[Settled]:
    return [Settled(number // 7, f"d{number:05}", "ab"[number % 2], (), 0.0) for number in range(count)]


def convert(store: OnlineStore, numbers: range) -> None:
    store.put(Outcome(1.0, 0, False).document(f"d{number:05}", "converted", MOST) for number in numbers)


def test_many_at_once_count_each_exposure_once(stores: list[OnlineStore]) -> None:
    learning = [LearnedStore(store, POLICY, REWARD) for store in stores]
    learning[0].wait([waiting(one) for one in exposures(1200)])
    convert(stores[1], range(0, 1200, 10))
    with ThreadPoolExecutor(4) as at_once:
        list(at_once.map(lambda one: one.settle(SETTLE_MS + 1000), learning * 2))
    for one in learning:
        learned = one.read()
        assert learned.count == 1200
        assert learned.state.to_json()["arms"] == {"a": [600.0, 120.0], "b": [600.0, 0.0]}
    assert stores[0].until(WAITING, MOST, 10) == []


def test_what_is_not_due_waits(stores: list[OnlineStore]) -> None:
    learning = LearnedStore(stores[0], POLICY, REWARD)
    learning.wait([waiting(one) for one in exposures(14)])
    assert learning.settle(SETTLE_MS - 1).count == 0
    assert learning.settle(SETTLE_MS).count == 7
    convert(stores[0], range(7, 14))
    assert learning.settle(SETTLE_MS + 1).state.to_json()["arms"] == {"a": [7.0, 3.0], "b": [7.0, 4.0]}


def test_an_entry_that_cannot_be_read_is_left_out_and_stands_in_nobodys_way(stores: list[OnlineStore]) -> None:
    learning = LearnedStore(stores[0], POLICY, REWARD)
    learning.wait([Entry(0, "broken", b"?"), *map(waiting, exposures(3))])
    assert learning.settle(SETTLE_MS + 1).count == 3
    assert stores[0].until(WAITING, MOST, 10) == []

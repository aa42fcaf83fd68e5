"""What counts for life is kept once for each exposure, at most as often as its cap, by however many processes at once."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse.decisions.exposures import entries, for_life
from lakehouse.errors import StoreError
from lakehouse.learning.lifetime import remember_for_life
from lakehouse.online.engines import open_store
from lakehouse.online.recent_entries import Placed
from lakehouse.online.store import Document, Entry

ANA, BEN = "x:anonymous_id:ana", "x:anonymous_id:ben"


def shown(timeline: str, decision_id: str, offer: str | None, rule: str | None = None, at_ms: int = 0) -> list[Placed]:
    return [(timeline, entry) for entry in entries(decision_id, offer, rule, at_ms)]


def test_only_exposures_with_a_cap_for_life_are_kept_and_no_more_than_it(tmp_path: Path) -> None:
    store, caps = open_store(f"lmdb://{tmp_path}/kept"), {"gift": 2, "rule:cart": 1}
    placed = [*shown(ANA, "d1", "gift", "cart", 5), *shown(ANA, "d2", "bundle", "other"), *shown(BEN, "d3", "gift")]
    placed.append(("r:anonymous_id:ana", Entry(1, "m1:view:0", b'{"kind": "view"}')))
    for _ in range(2):
        remember_for_life(store, placed, caps)
    of_ana = for_life(store.get(["life:anonymous_id:ana"])[0])
    assert sorted(entry.id for entry in of_ana) == ["d1:exposure:gift", "d1:exposure:rule:cart"]
    assert {entry.at_ms for entry in of_ana} == {5}
    for number in range(9):
        remember_for_life(store, shown(ANA, f"e{number}", "gift", "cart"), caps)
    assert len(for_life(store.get(["life:anonymous_id:ana"])[0])) == 3
    assert len(for_life(store.get(["life:anonymous_id:ben"])[0])) == 1
    assert sorted(key for key, _ in store.scan("")) == ["life:anonymous_id:ana", "life:anonymous_id:ben"]
    store.put([Document("life:anonymous_id:ben", 99, b"?")])
    with pytest.raises(StoreError, match="cannot be read"):
        remember_for_life(store, shown(BEN, "d4", "gift"), caps)
    store.close()


def test_many_processes_at_once_lose_none(tmp_path: Path) -> None:
    stores = [open_store(f"lmdb://{tmp_path}/kept") for _ in range(4)]
    work = list(itertools.product(stores, range(25)))
    with ThreadPoolExecutor(4) as at_once:
        list(
            at_once.map(
                lambda one: remember_for_life(one[0], shown(ANA, f"d{id(one[0])}-{one[1]}", "gift"), {"gift": 1000}),
                work,
            )
        )
    assert len(for_life(stores[0].get(["life:anonymous_id:ana"])[0])) == 100
    for store in stores:
        store.close()

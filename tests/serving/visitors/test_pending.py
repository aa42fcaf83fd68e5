"""What was seen counts at once and is in the store soon; a store that is away keeps it waiting."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from lakehouse.errors import StoreError
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_store
from lakehouse.online.store import Document, Entry
from serving.visitors.pending import Pending

ENTRY = Entry(1, "e", b"x")


class Away:
    """A store that fails until it is told not to."""

    def __init__(self, store: object) -> None:
        self.store = store
        self.is_away = True

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int, keep_ms: int | None = None) -> None:
        if self.is_away:
            raise StoreError("away")
        self.store.append(timelines, keep=keep)  # type: ignore[attr-defined]

    def put(self, documents: Iterable[Document]) -> int:
        if self.is_away:
            raise StoreError("away")
        return int(self.store.put(documents))  # type: ignore[attr-defined]


def test_it_counts_before_it_is_written_and_is_written_when_the_store_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.visitors.pending._RETRY_SECONDS", 0.05)
    store = open_store(f"lmdb://{tmp_path}/online")
    away = Away(store)
    pending = Pending(away, keep=10)  # type: ignore[arg-type]
    pending.append([("k", ENTRY)])
    pending.put([Document("d", 1, b"new")])
    assert pending.timelines(["k", "other"]) == {"k": [ENTRY]}
    assert pending.documents(["d", "other"]) == {"d": b"new"}
    assert store.latest(["k"], 5) == [[]]
    away.is_away = False
    assert wait_until(lambda: store.latest(["k"], 5) == [[ENTRY]] and store.get(["d"]) == [b"new"], 10)
    assert wait_until(lambda: pending.timelines(["k"]) == {} and pending.documents(["d"]) == {}, 10)
    pending.close()
    store.close()


def test_what_waits_is_bounded_and_what_falls_over_is_counted(tmp_path: Path) -> None:
    pending = Pending(Away(None), keep=10, most=3)  # type: ignore[arg-type]
    pending.append((f"k{n}", ENTRY) for n in range(5))
    assert pending.dropped == 2
    assert pending.timelines(["k0", "k1", "k4"]) == {"k4": [ENTRY]}
    pending.close()

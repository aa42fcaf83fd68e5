"""What processes of their own do to an online store in tests; they import this and little else."""

from typing import Any

from lakehouse.online.engines import open_store
from lakehouse.online.store import Document, Entry, OnlineStore

_barriers: list[Any] = []


def meet_at(barrier: Any) -> None:
    """Both begin an act together, so each of them has one."""
    _barriers[:] = [barrier]


def firsts(store: OnlineStore, count: int) -> list[int]:
    """Numbers of the documents that were ours to write, of one version each."""
    return [n for n in range(count) if store.put([Document(f"c{n}", 1, b"")])]


def first_writes(url: str, count: int) -> list[int]:
    _barriers[0].wait(60)
    store = open_store(url, timeout_ms=5000)
    try:
        return firsts(store, count)
    finally:
        store.close()


def write_versions(url: str, mine: int) -> None:
    """Versions by process: the even ones of one, the odd ones of the other."""
    _barriers[0].wait(60)
    store = open_store(url, timeout_ms=5000)
    try:
        for version in range(mine, 400, 2):
            store.put([Document(f"k{version % 7}", version, b"%d" % version)])
            store.append({"r:t": [Entry(version, f"m{version}", b"v")]}, keep=100)
    finally:
        store.close()

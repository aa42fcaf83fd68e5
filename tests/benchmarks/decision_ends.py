"""Size of store and memory over many decisions, from a shop's life of two years in some minutes: part of tests/benchmarks/bandits.py."""

import os
import tempfile
from pathlib import Path

import orjson

from lakehouse.bandits.state import Policy
from lakehouse.config.declarations import DAY_MS
from lakehouse.decisions import decision_record, exposures
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.learning.exposure import exposed, kept_until
from lakehouse.learning.learned_store import LearnedStore
from lakehouse.learning.reward import Outcome, Reward
from lakehouse.online.engines import open_store
from lakehouse.online.recent_entries import remember
from lakehouse.online.store import Document, Entry, OnlineStore

DAYS, BATCH = 730, 200
MOST_GROWTH = 0.1  # of the last quarter over the one before it
REWARD = Reward(metric="converted", is_higher_better=True, window_ms=7 * DAY_MS)
ARMS = ("bundle", "gift", "trial")


def store_size(decisions: int) -> dict[str, float]:
    """What is there after each quarter: documents, bytes of the file, bytes of this process. Growth: of the last over the third."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        store = open_store(f"lmdb://{folder}")
        learning = LearnedStore(store, Policy(kind="thompson"), REWARD)
        sizes: list[dict[str, int]] = []
        for first in range(0, decisions, BATCH):
            _live(store, learning, first, decisions)
            if (first + BATCH) // (decisions // 4) > len(sizes):
                sizes.append(_sizes(store, folder))
        store.close()
    figures: dict[str, float] = {}
    for what in sizes[0]:
        figures |= {f"{what}_after_{number}_quarters": size[what] for number, size in enumerate(sizes, 1)}
        figures[f"{what}_growth"] = round(sizes[3][what] / sizes[2][what] - 1, 4)
    return figures


def _live(store: OnlineStore, learning: LearnedStore, first: int, decisions: int) -> None:
    """A batch of decisions as the service keeps them: half are shown, every twentieth of those converts; what ended is let go of."""
    documents: list[Document] = []
    waiting: list[Entry] = []
    now_ms = 0
    for number in range(first, first + BATCH):
        now_ms = number * DAYS * DAY_MS // decisions
        decision = _decision(number, now_ms)
        documents.append(
            Document(decision_record.key(decision.decision_id), now_ms, decision.encode(), now_ms + REWARD.window_ms)
        )
        entries = [Entry(now_ms, f"m{number}:view:0", orjson.dumps({"kind": "view", "product_id": "p-1"}))]
        if number % 2:
            exposure = exposed(decision, now_ms, now_ms, None, REWARD)
            documents.append(exposure.document(REWARD))
            waiting.append(exposure.waiting())
            entries += exposures.entries(decision.decision_id, decision.action, None, now_ms)
        if number % 40 == 1:
            told = Outcome(1.0, now_ms, False)
            documents.append(told.document(decision.decision_id, "converted", kept_until(now_ms, REWARD)))
        remember(store, [(decision.shown_on or "", entry) for entry in entries])
    store.put(documents)
    learning.wait(waiting)
    learning.settle(now_ms)
    while store.expire(now_ms, BATCH) == BATCH:
        pass


def _decision(number: int, at_ms: int) -> DecisionRecord:
    return DecisionRecord(
        decision_id=f"{number:032x}", kind="offer", unit=f"v{number // 5}", at_ms=at_ms, action=ARMS[number % 3],
        propensity=0.3, is_forced=False, policy="thompson", policy_version="thompson-1",
        shown_on=f"x:anonymous_id:v{number // 5}", experiments={}, features=(1.0,) * 8, context={"page_type": "cart"},
    )  # fmt: skip


def _sizes(store: OnlineStore, folder: Path) -> dict[str, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "documents": sum(1 for _ in store.scan("")),
        "store_bytes": sum(file.stat().st_blocks * 512 for file in folder.rglob("data.mdb")),
        "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
    }

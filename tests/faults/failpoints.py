"""The streaming driver with failpoints: at the one it was told it kills itself and its JVM, by `kill -9`.

    python -m tests.faults.failpoints [--available-now]

A failpoint is `before` or `after` a step, or a `file` of a folder as soon as it is there. Each line of standard input arms one; with the end
of it the driver ends. The first time a step is reached its failpoints are told on standard output, so that nobody need list them: a table that
is new has its own. The product knows nothing of it. The few places that every step passes are wrapped from outside.
"""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from deltalake import DeltaTable
from deltalake.table import TableOptimizer

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.lake.local_index import LocalIndex
from lakehouse.lake.row_runs import RowRuns
from lakehouse.online import online_step
from lakehouse.online.online_step import OnlineStep
from lakehouse.queries.events_batch import EventsBatch
from streaming.__main__ import main as stream

REACHED, KILLED = "reached ", "killed "
FILE = "file "
_POLL_SECONDS = 0.001

# Where every step passes, and what the step is called. A micro-batch begins after its offset log, and ends before its commit log.
_STEPS: list[tuple[Any, str, Callable[..., str]]] = [
    (Lake, "create", lambda *_: "create"),
    (Lake, "append", lambda lake, rows, table, *_, **__: table.name),
    (Lake, "upsert", lambda lake, rows, table, **_: table.name),
    (Lake, "add", lambda lake, rows, table: table.name),
    (EventsBatch, "__call__", lambda *_: "micro-batch"),
    (OnlineStep, "catch_up", lambda *_, **__: "online catch-up"),
    (OnlineStep, "put", lambda *_, **__: "online store"),
    (online_step, "write", lambda *_, **__: "online documents"),
    (OnlineStep, "settle", lambda *_, **__: "online settled"),
    (LocalIndex, "commit", lambda index, *_, **__: f"index {type(index).__name__}"),
    (RowRuns, "set_rows", lambda runs, *_, **__: f"index of {runs.table.name}"),
    (TableOptimizer, "compact", lambda *_, **__: "compaction"),
    (DeltaTable, "vacuum", lambda *_, **__: "vacuum"),
]
# Written by the JVM alone.
_FOLDERS = [
    *(f"_checkpoints/{query}/{log}" for query in ("events", "bronze_events") for log in ("offsets", "commits")),
    "bronze/events/_delta_log",
]


class Failpoints:
    """Which is armed, and which have been told."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._armed = ""
        self._told: set[str] = set()

    def install(self) -> None:
        """Wrap every step, and listen."""
        for owner, name, step in _STEPS:
            setattr(owner, name, self._wrapped(getattr(owner, name), step))
        Thread(target=self._listen, daemon=True).start()

    def reach(self, failpoint: str) -> None:
        if failpoint == self._armed:
            _tell(f"{KILLED}{failpoint}")
            os.killpg(os.getpgid(0), signal.SIGKILL)
        if failpoint not in self._told:
            self._told.add(failpoint)
            _tell(f"{REACHED}{failpoint}")

    def _wrapped(self, original: Callable[..., Any], step: Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            name = step(*args, **kwargs)
            self.reach(f"before {name}")
            returned = original(*args, **kwargs)
            self.reach(f"after {name}")
            return returned

        return call

    def _listen(self) -> None:
        for folder in _FOLDERS:
            _tell(f"{REACHED}{FILE}{folder}")
        for line in sys.stdin:
            self._armed = line.strip()
            if self._armed.startswith(FILE):
                Thread(target=self._watch, args=[self._armed], daemon=True).start()
        os.killpg(os.getpgid(0), signal.SIGKILL)  # whoever started it is gone

    def _watch(self, failpoint: str) -> None:
        """Until a file is in the folder that was not there."""
        folder = self._root / failpoint.removeprefix(FILE)
        before = _names(folder)
        while self._armed == failpoint:
            if _names(folder) - before:
                self.reach(failpoint)
            time.sleep(_POLL_SECONDS)


def _tell(line: str) -> None:
    """Whole: steps run beside each other, and `print` writes a line and its end apart."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _names(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if name[0].isdigit()} if folder.is_dir() else set()


def main(argv: list[str]) -> None:
    Failpoints(Path(load().lake.root)).install()
    stream(argv)


if __name__ == "__main__":
    run(main)

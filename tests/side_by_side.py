"""Which process of a test run takes which file: two run Spark, and the third all that needs none.

A session of Spark has cost some ninety seconds of CPU before it runs as fast as it can. Two of them leave half a core idle, and that is what the third
process has while it has work of its own. It starts no session.

What a session does for the first time costs ten times what it costs again. So a process stays in the areas it has begun with, one package each,
for as long as there is another for the other one.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

SPARK = 2  # processes
_NEEDS_SPARK = re.compile(r"SparkSession|: Lake\b|\bLake\]|compiled: None")
_PROJECT = Path(__file__).parents[1]


@cache
def needs_spark(file: str) -> bool:
    """Whether a test file, or the fixtures of its folder, ask for a session or a lake. Those of tests/conftest.py are for whoever asks."""
    beside = Path(file).with_name("conftest.py")
    read = [path for path in (Path(file), beside) if path != Path("tests/conftest.py")]
    texts = [(_PROJECT / path).read_text(encoding="utf-8") for path in read if (_PROJECT / path).is_file()]
    return any(_NEEDS_SPARK.search(text) for text in texts)


def area(file: str) -> str:
    """The package whose tests a file holds: `tests/end_to_end`, `tests/lakehouse/profiles`."""
    return "/".join(file.split("/")[:-1][:3])


class SideBySide(LoadFileScheduling):
    """Files in the order of collection. Each process takes the next one that is for it: of an area it has begun, else of nobody's, else any."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._owners: dict[str, WorkerController] = {}

    def _next(self, node: WorkerController) -> str | None:
        is_for_spark = self.nodes.index(node) < SPARK
        waiting = list(self.workqueue)
        wanted = [file for file in waiting if needs_spark(file) == is_for_spark]
        if not wanted and is_for_spark:
            wanted = waiting
        return min(wanted, key=lambda file: self._strangeness(file, node), default=None)  # of equals the first

    def _strangeness(self, file: str, node: WorkerController) -> int:
        owner = self._owners.get(area(file))
        return 0 if owner is node else 1 if owner is None else 2

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._next(node)
        if file is None:
            node.shutdown()
            return
        if needs_spark(file):
            self._owners.setdefault(area(file), node)
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

"""Which process of a test run takes which file: two run Spark, and the third all that needs none.

A session of Spark has cost some ninety seconds of CPU before it runs as fast as it can. Two of them leave half a core idle, and that is what the third
process has while it has work of its own. It starts no session.
"""

import re
from functools import cache
from pathlib import Path

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


class SideBySide(LoadFileScheduling):
    """Files in the order of collection, of which each process takes the next one that is for it."""

    def _next(self, node: WorkerController) -> str | None:
        is_for_spark = self.nodes.index(node) < SPARK
        waiting = list(self.workqueue)
        wanted = [file for file in waiting if needs_spark(file) == is_for_spark]
        if not wanted and is_for_spark:
            wanted = waiting
        return next(iter(wanted), None)

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._next(node)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

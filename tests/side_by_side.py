"""Which process of a test run takes which file: two run Spark, and the third all that needs none.

A session of Spark has cost some ninety seconds of CPU before it runs as fast as it can. Two of them leave half a core idle, and that is what the third
process has while it has work of its own. It starts no session.

The first stream and the first rebuild of a session cost ten times what the next ones do. So one of the two takes the files that run whole queries, for
as long as the other one has others.
"""

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

QUERIES, STEPS, WITHOUT_SPARK = range(3)  # the processes
_NEEDS_SPARK = re.compile(r"SparkSession|: Lake\b|\bLake\]|compiled: None")
_RUNS_QUERIES = re.compile(r"\bdrain\(|\brebuild\(|check_declared|overwrite_profiles")
_PROJECT = Path(__file__).parents[1]


@cache
def place_of(file: str) -> int:
    """The process that a test file is for, by what it and the fixtures of its folder ask for. Fixtures of tests/conftest.py are for whoever asks."""
    beside = Path(file).with_name("conftest.py")
    read = [path for path in (Path(file), beside) if path != Path("tests/conftest.py")]
    texts = [(_PROJECT / path).read_text(encoding="utf-8") for path in read if (_PROJECT / path).is_file()]
    if not any(_NEEDS_SPARK.search(text) for text in texts):
        return WITHOUT_SPARK
    return QUERIES if any(_RUNS_QUERIES.search(text) for text in texts) else STEPS


class SideBySide(LoadFileScheduling):
    """Files in the order of collection, of which each process takes the next one that is for it; one that has Spark, at last any."""

    def _next(self, node: WorkerController) -> str | None:
        place = self.nodes.index(node)
        waiting = list(self.workqueue)
        for places in ({place}, {QUERIES, STEPS}, {WITHOUT_SPARK}):
            wanted = [file for file in waiting if place_of(file) in places]
            if wanted or place == WITHOUT_SPARK:
                return next(iter(wanted), None)
        return None

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._next(node)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

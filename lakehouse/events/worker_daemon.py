"""The process that Spark forks Python workers from: what every worker imports is imported here, once. `spark.python.daemon.module`.

A worker that imports for itself takes seconds of CPU before its first row, and ends when it has been idle for a minute: a stream with pauses
pays again and again. A process may be forked only while it has one thread, so libraries are told to start none; where one does all
the same, or where threads cannot be counted, Spark's own daemon takes over, which imports nothing before it forks.
"""

import gc
import os
import sys
from pathlib import Path

_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "OPENBLAS_NUM_THREADS": "1"}
_THREADS = Path("/proc/self/task")


def main() -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in _NO_THREADS.items()})
    if _THREADS.is_dir():
        import pandas  # noqa: F401
        import pyspark.worker  # noqa: F401

        import lakehouse.events.event_rows  # noqa: F401

    if not _THREADS.is_dir() or len(list(_THREADS.iterdir())) > 1:
        os.execv(sys.executable, [sys.executable, "-m", "pyspark.daemon", *sys.argv[1:]])
    from pyspark.daemon import manager

    gc.collect()
    gc.freeze()  # so that a worker's collector touches no page it shares
    manager()


if __name__ == "__main__":
    main()

"""The daemon is ready as Spark's own is, with what workers need imported and one thread, so that it may be forked."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.config import PROJECT

THREADS = Path("/proc/self/task")


@pytest.mark.skipif(not THREADS.is_dir(), reason="threads cannot be counted here: Spark's own daemon takes over")
def test_it_listens_with_one_thread_and_everything_imported() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lakehouse.events.worker_daemon", "pyspark.worker"],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    (port,) = struct.unpack(">i", process.stdout.read(4))
    state = Path(f"/proc/{process.pid}")
    assert 0 < port < 65_536
    assert len(list((state / "task").iterdir())) == 1
    assert b"lakehouse.events.worker_daemon" in (state / "cmdline").read_bytes()  # it has not given up for Spark's own
    assert "libarrow" in (state / "maps").read_text()
    process.stdin.close()  # as Spark tells it to end
    process.wait(30)
    process.stdout.close()

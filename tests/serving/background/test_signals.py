"""A process is told to end in any moment, also while it holds the lock of the event it waits for."""

import subprocess
import sys

import pytest

from lakehouse.config import PROJECT

WAITS = """
import signal
from serving.background.signals import set_by_signals
stopped = set_by_signals()
with stopped._cond:
    signal.raise_signal(signal.{name})
print(stopped.wait(10))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_is_told_also_while_it_holds_the_events_lock(name: str) -> None:
    code = WAITS.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")

"""The streaming driver as a process of its own, killed by `kill -9` while it works."""

import os
import signal
import subprocess
import sys

from lakehouse.config import PROJECT
from lakehouse.lake.delta import Lake

_DRIVER = (
    "import logging, sys; logging.basicConfig(level=logging.INFO, stream=sys.stderr); "
    "from streaming.__main__ import main; main(['--available-now'])"
)


def kill_in_the_middle(lake: Lake, records: int) -> None:
    """Starts the driver over the lake's topic, in micro-batches of `records`, and kills it once the first batch of events is in.

    Others are under way then: of bronze, and the second of events.
    """
    driver = _driver(lake, records)
    assert driver.stderr is not None
    for line in driver.stderr:
        if '"batch_id": 0' in line:
            break
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()


def _driver(lake: Lake, records: int) -> "subprocess.Popen[str]":
    """Its log on stderr."""
    environ = os.environ | {
        "STITCHLAKE__LAKE__ROOT": lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": lake.config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": lake.config.kafka.events_topic,
        "STITCHLAKE__PROFILES__MAX_OFFSETS_PER_TRIGGER": str(records),
        "PYTHONPATH": str(PROJECT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER], env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
    )

"""A server in a process of its own, and how to ask it."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lakehouse.config import PROJECT, Config

PATIENCE_SECONDS = 60.0


@contextmanager
def serving(
    config: Config, *, workers: int = 1, port: int = 0, is_connected: bool = True
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Its address, once every process of it is ready, and the process that was started. `is_connected`: there is a broker."""
    environ = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "STITCHLAKE_ENV": "dev",
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
        "STITCHLAKE__ONLINE_STORE__URL": config.online_store.url,
        "STITCHLAKE__SERVING__PORT": str(port),
        "STITCHLAKE__SERVING__SPOOL_MEGABYTES": str(config.serving.spool_megabytes),
        "STITCHLAKE__SERVING__WORKERS": str(workers),
    }
    with subprocess.Popen([sys.executable, "-m", "serving"], env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            if is_connected:
                assert [server.stdout.readline() for _ in range(workers)] == ["ready\n"] * workers
                until(lambda: ask(address, "/api/status")["kafka"] == "connected")
            yield address, server
        finally:
            server.terminate()  # else a test that fails is waited for without end


def ask(address: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
    """On a connection of its own."""
    request = urllib.request.Request(address + path, headers={"content-type": "application/json"})
    if body is not None:
        request.data = json.dumps(body | ({"writeKey": key} if key else {})).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read()))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)

"""The fixture `redis_url`: one real Redis for the test run, on a free port, gone afterwards. Imported by conftest.py."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse import machine

START_SECONDS = 10.0


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """Its URL and its process id."""
    if (binary := shutil.which("redis-server")) is None:
        pytest.skip("no redis-server on this machine; .ci/run installs it")
    port = machine.free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        assert machine.wait_until(lambda: _answers(port), START_SECONDS), "redis-server did not start"
        yield f"redis://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url

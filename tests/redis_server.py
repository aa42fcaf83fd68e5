"""Real Redis on free ports, gone afterwards. Imported by conftest.py.

The fixtures `redis_url`, `redis_cluster_url` and `redis_sentinel_url`: one of each for the test run.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from lakehouse import machine

START_SECONDS = 10.0


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """Its URL and its process id."""
    with server(folder) as (port, process):
        yield f"redis://127.0.0.1:{port}", process.pid


@contextmanager
def server(folder: Path, *options: str, config: Path | None = None) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Its port and its process. `config`: what is read first."""
    if (binary := shutil.which("redis-server")) is None:
        pytest.skip("no redis-server on this machine; .ci/run installs it")
    port = machine.free_port()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command = [binary, *([] if config is None else [str(config)]), *own, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        assert machine.wait_until(lambda: _answers(port), START_SECONDS), "redis-server did not start"
        yield port, process
    finally:
        process.kill()
        process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """Three nodes that share all slots: the URL, and their processes."""
    with ExitStack() as stack:
        buses = [machine.free_port() for _ in range(3)]
        nodes = []
        for number, bus in enumerate(buses):
            (own := folder / str(number)).mkdir()
            options = ("--save", "", "--cluster-enabled", "yes", "--cluster-port", str(bus))
            nodes.append(stack.enter_context(server(own, *options)))
        clients = [stack.enter_context(redis.Redis(port=port)) for port, _ in nodes]
        bounds = [0, 5461, 10923, 16384]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for (port, _), bus in zip(nodes[1:], buses[1:], strict=True):
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        assert machine.wait_until(lambda: all(map(_is_whole, clients)), 6 * START_SECONDS), "the nodes did not meet"
        at = ",".join(f"127.0.0.1:{port}" for port, _ in nodes)
        yield f"redis+cluster://{at}", [process for _, process in nodes]


def _is_whole(client: "redis.Redis") -> bool:
    told = client.execute_command("CLUSTER", "INFO")  # as it is sent: two words are not parsed
    return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told


@contextmanager
def sentinel(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server, its replica, and a Sentinel that watches them: the URL, and the process of the server."""
    with ExitStack() as stack:
        for name in ("first", "second", "sentinel"):
            (folder / name).mkdir()
        port, process = stack.enter_context(server(folder / "first", "--save", ""))
        copying = ("--save", "", "--replicaof", f"127.0.0.1 {port}", "--repl-diskless-sync-delay", "0")
        second, _ = stack.enter_context(server(folder / "second", *copying))
        copy = stack.enter_context(redis.Redis(port=second))
        is_linked = lambda: copy.info("replication").get("master_link_status") == "up"  # noqa: E731
        assert machine.wait_until(is_linked, 6 * START_SECONDS), "the replica did not follow"
        config = folder / "sentinel" / "sentinel.conf"
        lines = ["monitor lake 127.0.0.1 {} 1", "down-after-milliseconds lake 1000", "failover-timeout lake 10000"]
        config.write_text("".join(f"sentinel {line.format(port)}\n" for line in lines))
        watching, _ = stack.enter_context(server(folder / "sentinel", "--sentinel", config=config))
        sentinel_client = stack.enter_context(redis.Redis(port=watching))
        knows = lambda: sentinel_client.execute_command("SENTINEL", "REPLICAS", "lake")  # noqa: E731
        assert machine.wait_until(lambda: bool(knows()), 6 * START_SECONDS), "the Sentinel did not find the replica"
        yield f"redis+sentinel://127.0.0.1:{watching}/lake", process


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


@pytest.fixture(scope="session")
def redis_cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("redis-cluster")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def redis_sentinel_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sentinel(tmp_path_factory.mktemp("redis-sentinel")) as (url, _):
        yield url

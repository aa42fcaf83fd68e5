"""The processes of the service: one, or several at one port that begin and end together, within seconds, whatever they wait for.

A worker ends with its parent, by the pipe of lakehouse/job.py.
"""

import logging
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from threading import Timer
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lakehouse.errors import StitchlakeError
from lakehouse.kafka.server import HOST

log = logging.getLogger("stitchlake.serving")
_BACKLOG = 2048
ENDS_SECONDS = 5.0  # from the signal to the end of every process: what is promised; all below is less
_REQUESTS_SECONDS = 1  # that are being answered when the end comes
_WORKER_SECONDS = 3.5  # of a worker, from the signal to its end; beyond, it is cut short
_ALL_SECONDS = 4.2  # of the parent, until it kills who is left
_THREADS_SECONDS = 0.2  # of threads, once all is kept
_OFFERED = re.compile(rb"\A([A-Z]+ [^\r\n]+\r\n(?:[^\r\n]+\r\n)*?)upgrade:[ \t]*h2c[ \t]*\r\n", re.IGNORECASE)


class Protocol(HttpToolsProtocol):
    """Does not hear the offer of HTTP/2, as it may (RFC 9110, 7.8): the parser takes what follows such a head for HTTP/2, and the body is lost.

    Java's HttpClient makes the offer with the first request of every connection to `http:`.
    """

    def data_received(self, data: bytes) -> None:
        super().data_received(_OFFERED.sub(rb"\1", data) if b"h2c" in data else data)


class Server(uvicorn.Server):
    """Ends within _WORKER_SECONDS of a signal. `on_end`: lets go whoever listens without end, first."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to end came."""
        _end_after(_WORKER_SECONDS, 1, f"not ended within {_WORKER_SECONDS} s of the signal; cut short")
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams end, then requests are answered, then what runs beside them ends: all is kept. A thread that still waits for
        a broker that is not there is not waited for.
        """
        self._on_end()
        await super().shutdown(sockets)
        _end_after(_THREADS_SECONDS, 128 + signal.SIGTERM)


def _end_after(seconds: float, code: int, why: str = "") -> None:
    def end() -> None:
        if why:
            log.error("serving: %s", why)
        os._exit(code)

    watch = Timer(seconds, end)
    watch.daemon = True
    watch.start()


def serve(app: Any, listening: socket.socket, on_end: Callable[[], None]) -> None:
    """Answer at the socket until a signal says to end."""
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        loop="uvloop",
        http=Protocol,
        ws="websockets-sansio",
        timeout_graceful_shutdown=_REQUESTS_SECONDS,
    )
    Server(settings, on_end).run(sockets=[listening])


def run_together(command: Sequence[str], sockets: Sequence[socket.socket], environ: dict[str, str]) -> int:
    """A worker for each socket, `<command> <socket> <lifeline>`; when one ends, all do. The exit code of that one."""
    lifeline, own_end = os.pipe()  # own_end is inherited by nobody
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for worker_socket in sockets:
            with worker_socket:
                files = [worker_socket.fileno(), lifeline]
                workers.append(subprocess.Popen([*command, *map(str, files)], pass_fds=files, env=environ))
        os.close(lifeline)
        pid, status = os.wait()  # until the first of them ends
        first = next(worker for worker in workers if worker.pid == pid)
        first.returncode = os.waitstatus_to_exitcode(status)  # Popen, which did not wait, would take it for 0
    finally:
        os.close(own_end)
        _end(workers)
    return first.returncode


def _end(workers: "Sequence[subprocess.Popen[bytes]]", clock: Callable[[], float] = time.monotonic) -> None:
    """All of them together, however many: who has not ended by the deadline is killed."""
    deadline = clock() + _ALL_SECONDS
    for worker in workers:
        worker.terminate()
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline - clock()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def listen(port: int, count: int) -> list[socket.socket]:
    """A socket for each process. The kernel deals connections out evenly to several sockets at one port; processes that wait at
    one socket do not: the one that wakes first takes all that are there.
    """
    alone = _bound(port)  # refused where anybody listens, which several at one port would not notice
    if count == 1:
        return [alone]
    with alone:
        port = alone.getsockname()[1]
    return [_bound(port, is_shared=True) for _ in range(count)]


def _bound(port: int, *, is_shared: bool = False) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        raise StitchlakeError(
            f"serving.port: {port} is taken ({error.strerror}), expected a free port. Set STITCHLAKE__SERVING__PORT"
        ) from error
    listening.listen(_BACKLOG)  # whoever connects from now on waits for the process that is to be ready
    return listening

"""The processes of the service: one, or several at one port that begin and end together, within seconds, whatever they wait for.

A worker ends with its parent, by the pipe of lakehouse/job.py.
"""

import asyncio
import logging
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Timer
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lakehouse.errors import StitchlakeError

log = logging.getLogger("stitchlake.serving")
_BACKLOG = 2048
ENDS_SECONDS = 5.0  # from the signal to the end of every process: what is promised; all below is less
_REQUESTS_SECONDS = 1  # that are being answered when the end comes
_WORKER_SECONDS = 3.5  # of a worker, from the signal to its end; beyond, it is cut short
_ALL_SECONDS = 4.2  # of the parent, until it kills who is left
_THREADS_SECONDS = 0.2  # of threads, once all is kept
_SENT_SECONDS = 30.0  # from the first byte of a request to its last, and from a connection to its first request
# Bytes of a request that are not its body: the head, what stands between chunks, what follows them.
_MOST_BESIDE_BODY = 131_072
_SOCKET_BYTES = 65_536  # of a message that a listener sends, who has nothing to say
_TOO_MUCH = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_SAFE_HEADERS = [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
_ONLY_TLS = ("strict-transport-security", "max-age=31536000")
_OFFERED = re.compile(rb"\A([A-Z]+ [^\r\n]+\r\n(?:[^\r\n]+\r\n)*?)upgrade:[ \t]*h2c[ \t]*\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Tls:
    """PEM files: the certificate with those above it, and its key."""

    certificate: str
    key: str


class Protocol(HttpToolsProtocol):
    """Waits for a request no longer than _SENT_SECONDS, however slowly it comes: a head or a body that trickles holds no connection for ever.

    Nor does it keep more than _MOST_BESIDE_BODY of what is no body, which the parser does not limit; bodies: serving/messages/limits.py.

    Does not hear the offer of HTTP/2, as it may (RFC 9110, 7.8): the parser takes what follows such a head for HTTP/2, and the body is lost.

    Java's HttpClient makes the offer with the first request of every connection to `http:`.
    """

    _deadline: asyncio.TimerHandle | None = None
    _beside_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the server's own
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_SENT_SECONDS, transport.close)

    def on_message_begin(self) -> None:
        """The first byte of a request; that of a connection has its deadline."""
        super().on_message_begin()
        if self._deadline is None:
            self._deadline = self.loop.call_later(_SENT_SECONDS, self.transport.close)

    def on_body(self, body: bytes) -> None:
        """A piece of it."""
        super().on_body(body)
        self._beside_body -= len(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        super().on_message_complete()
        self._beside_body = 0
        self._met()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._met()

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of several."""
        self._beside_body += len(data)
        super().data_received(_OFFERED.sub(rb"\1", data) if b"h2c" in data else data)
        if self._beside_body > _MOST_BESIDE_BODY and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_MUCH)
            self.transport.close()


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


def serve(app: Any, listening: socket.socket, on_end: Callable[[], None], tls: Tls | None = None) -> None:
    """Answer at the socket until a signal says to end. `tls`: None = HTTP.

    Raises:
        StitchlakeError: the certificate or its key cannot be used.
    """
    settings = http_settings(app, tls)
    Server(settings, on_end).run(sockets=[listening])


def http_settings(app: Any, tls: Tls | None) -> uvicorn.Config:
    """How the service speaks HTTP.

    Raises:
        StitchlakeError: the certificate or its key cannot be used.
    """
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        loop="uvloop",
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=_SOCKET_BYTES,
        timeout_graceful_shutdown=_REQUESTS_SECONDS,
        server_header=False,
        headers=_SAFE_HEADERS if tls is None else [*_SAFE_HEADERS, _ONLY_TLS],
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    try:
        settings.load()
    except OSError as error:  # ssl.SSLError is one
        raise StitchlakeError(
            f"serving.tls_certificate: cannot be used, got {error.strerror or error}, expected a PEM file, and that of its key in "
            "serving.tls_key"
        ) from error
    return settings


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


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """A socket for each process. The kernel deals connections out evenly to several sockets at one port; processes that wait at
    one socket do not: the one that wakes first takes all that are there.
    """
    alone = _bound(host, port)  # refused where anybody listens, which several at one port would not notice
    if count == 1:
        return [alone]
    with alone:
        port = alone.getsockname()[1]
    return [_bound(host, port, is_shared=True) for _ in range(count)]


def _bound(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise StitchlakeError(
            f"serving.port: {port} is taken ({error.strerror}), expected a free port at {host}. Set STITCHLAKE__SERVING__PORT"
        ) from error
    listening.listen(_BACKLOG)  # whoever connects from now on waits for the process that is to be ready
    return listening

"""Several processes of the service at one port: one service to whoever asks."""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from lakehouse.config import PROJECT, Config
from lakehouse.errors import StitchlakeError
from lakehouse.machine import free_port
from serving import workers as workers_module
from serving.messages.limits import Receive, Scope, Send
from serving.workers import ENDS_SECONDS, Protocol, Tls, _end, http_settings, listen
from tests.serving.served import ask, serving, until

HOST = "127.0.0.1"
ASKED = 61  # odd: two processes never count the same
ENDS_IN_SECONDS = 25.0  # a connection: less than the 30 after which any of them is cut off
END_SECONDS = 20.0  # of a busy test machine; that it is 5 is held by the deadlines themselves, below


@contextmanager
def started(folder: Path, workers: int) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The service, with nothing behind it, once every process of it answers: a broker that is not there is the hardest to leave."""
    environ = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "STITCHLAKE_ENV": "dev",
        "STITCHLAKE__LAKE__ROOT": str(folder),
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "STITCHLAKE__SERVING__PORT": "0",
        "STITCHLAKE__SERVING__WORKERS": str(workers),
    }
    with subprocess.Popen([sys.executable, "-m", "serving"], env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[-1], server
        finally:
            server.kill()


def listening(address: str, stack: ExitStack) -> None:
    """Sixteen who listen without end, at whichever process, by server-sent events and WebSockets."""
    for number in range(8):
        stream = stack.enter_context(urllib.request.urlopen(f"{address}/api/changes", timeout=60))
        assert stream.readline().startswith(b":")
        stack.enter_context(connect(f"{address.replace('http', 'ws')}/ws?session_id=s-{number}", open_timeout=60))


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Stubborn:
    """A process that does not end by being asked. Time passes only while somebody waits for it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.did: list[str] = []

    def terminate(self) -> None:
        self.did.append("terminate")

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None:
            assert self.did == ["terminate", "kill"]
            return -signal.SIGKILL
        self.clock.now += timeout
        raise subprocess.TimeoutExpired("worker", timeout)

    def kill(self) -> None:
        self.did.append("kill")


@pytest.mark.parametrize("count", [1, 4, 64])
def test_the_parent_leaves_nobody_behind_after_the_seconds_that_are_promised(count: int) -> None:
    clock = Clock()
    began, all_of_them = clock.now, [Stubborn(clock) for _ in range(count)]
    _end(all_of_them, clock)  # type: ignore[arg-type]
    assert clock.now - began < ENDS_SECONDS
    assert all(one.did == ["terminate", "kill"] for one in all_of_them)


def test_a_worker_cuts_itself_short_before_its_parent_does_whatever_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    armed: list[Any] = []

    class Watch:
        daemon = False

        def __init__(self, seconds: float, function: Any) -> None:
            self.seconds, self.function = seconds, function

        def start(self) -> None:
            armed.append(self)

    ended: list[int] = []
    monkeypatch.setattr(workers_module, "Timer", Watch)
    monkeypatch.setattr(os, "_exit", ended.append)
    settings = uvicorn.Config("x:y", timeout_graceful_shutdown=workers_module._REQUESTS_SECONDS)
    workers_module.Server(settings, lambda: None).handle_exit(signal.SIGTERM, None)
    (watch,) = armed
    assert watch.daemon, "nobody waits for it where all ends in time"
    assert workers_module._REQUESTS_SECONDS < watch.seconds < workers_module._ALL_SECONDS < ENDS_SECONDS
    watch.function()
    assert ended == [1]


async def _told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def exchanged(*requests: bytes) -> bytes:
    """What comes back for the requests, on one connection, up to its end."""
    server = uvicorn.Server(uvicorn.Config(_told, http=Protocol, lifespan="off", log_level="error"))

    async def exchange() -> bytes:
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"".join(requests))
        try:
            async with asyncio.timeout(ENDS_IN_SECONDS):
                found = await reader.read()
        except ConnectionResetError:
            found = b""
        writer.close()
        server.should_exit = True
        await serving
        return found

    return asyncio.run(exchange())


@pytest.mark.parametrize("offer", ["Upgrade: h2c", "upgrade:h2c"])
def test_an_offer_of_http_2_costs_no_body(offer: str) -> None:
    """As Java's HttpClient makes it with its first request; and a body that reads like one is left alone."""
    body = f"x\r\n{offer}\r\n".encode()
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    first = f"{head}Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n{offer}\r\n\r\n"
    found = exchanged(first.encode() + body, f"{head}Connection: close\r\n\r\n".encode() + body)
    assert (found.count(b"200 OK"), found.count(body)) == (2, 2)


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HTTP/1.1\r\nHost: a\r\nX-Sl", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nslow"]
)
def test_a_request_that_does_not_come_holds_no_connection(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "_SENT_SECONDS", 0.2)
    whole = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
    found = exchanged(whole, sent) if sent else exchanged()
    assert found.count(b"200 OK") == bool(sent)


MOST = workers_module._MOST_BESIDE_BODY
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"a" * MOST,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * MOST,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * (MOST // 6),
        CHUNKED + b"1;" + b"a" * MOST,
        CHUNKED + b"1\r\na\r\n" * (MOST // 5),
        CHUNKED + b"0\r\n" + b"X: a\r\n" * (MOST // 6),
    ],
    ids=["address", "header", "headers", "chunk", "chunks", "trailers"],
)
def test_what_is_no_body_and_does_not_end_is_not_kept(endless: bytes) -> None:
    found = exchanged(endless)
    assert found[:13] in (b"", b"HTTP/1.1 431 ")


def test_a_large_body_in_pieces_is_none_of_that() -> None:
    pieces = (b"1000\r\n" + b"a" * 4096 + b"\r\n") * 128
    whole = CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + pieces + b"0\r\n\r\n"
    found = exchanged(CHUNKED + pieces + b"0\r\n\r\n", CHUNKED + pieces + b"0\r\n\r\n", whole)
    assert (found.count(b"200 OK"), found.count(b"a" * 4096 * 128)) == (3, 3)


def test_by_tls_it_says_so_and_tells_browsers_to_stay_there(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    server = uvicorn.Server(http_settings(_told, Tls(str(certificate), str(key))))

    async def ask_by_tls() -> bytes:
        listener = socket.create_server((HOST, 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        trusted = ssl.create_default_context(cafile=certificate)
        reader, writer = await asyncio.open_connection(
            *listener.getsockname(), ssl=trusted, server_hostname="localhost"
        )
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        found = await reader.read()
        writer.close()
        server.should_exit = True
        await serving
        return found.lower()

    answer = asyncio.run(ask_by_tls())
    for header in (
        b"strict-transport-security: max-age=",
        b"x-content-type-options: nosniff",
        b"x-frame-options: deny",
    ):
        assert header in answer
    assert b"server:" not in answer


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    for tls in (Tls(str(tmp_path / "gone.pem"), str(key)), Tls(str(certificate), str(certificate))):
        with pytest.raises(
            StitchlakeError, match=r"^serving\.tls_certificate: cannot be used, got .*, expected a PEM file"
        ):
            http_settings(_told, tls)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_a_signal_ends_all_within_seconds_whoever_listens(tmp_path: Path, workers: int) -> None:
    with ExitStack() as stack, started(tmp_path, workers) as (address, server):
        listening(address, stack)
        pids = children(server.pid)
        assert len(pids) == (workers if workers > 1 else 0)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=END_SECONDS) in (0, 143, -15)
        assert not any(map(is_alive, pids))


@pytest.mark.slow
def test_no_worker_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    with ExitStack() as stack, started(tmp_path, 2) as (address, server):
        listening(address, stack)
        pids = children(server.pid)
        assert len(pids) == 2
        server.kill()
        until(lambda: not any(map(is_alive, pids)))


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_all_and_is_told_by_the_exit_code(tmp_path: Path) -> None:
    with started(tmp_path, 2) as (_, server):
        until(lambda: len(children(server.pid)) == 2)
        pids = children(server.pid)
        os.kill(pids[0], signal.SIGKILL)
        assert server.wait(timeout=END_SECONDS) == -signal.SIGKILL % 256
        assert not any(map(is_alive, pids))


@pytest.mark.slow
def test_metrics_are_those_of_all_processes_whichever_is_asked(tmp_path: Path) -> None:
    with started(tmp_path, 2) as (address, _):
        for _ in range(ASKED):
            ask(address, "/api/decide", {"customer_id": "u-1"})

        def counted() -> dict[float, int]:
            found: dict[float, int] = {}
            for _ in range(8):  # on connections of their own: both processes are asked
                text = urllib.request.urlopen(f"{address}/metrics", timeout=60).read().decode()
                (answers,) = re.findall(
                    r'^stitchlake_answers_total\{route="/api/decide",status="200"\} (.*)$', text, re.M
                )
                rungs = re.findall(r"^stitchlake_decisions_(?:model|cached|popularity)_total (.*)$", text, re.M)
                found[float(answers)] = found.get(float(answers), 0) + (sum(map(float, rungs)) == ASKED)
            return found

        until(lambda: counted() == {ASKED: 8})


@pytest.mark.parametrize("there", [1, 2])
@pytest.mark.parametrize("coming", [1, 2])
def test_a_port_that_is_taken_is_told(there: int, coming: int) -> None:
    port = free_port()
    with ExitStack() as stack:
        for one in listen(HOST, port, there):
            stack.enter_context(one)
        with pytest.raises(StitchlakeError, match=f"serving.port: {port} is taken"):
            listen(HOST, port, coming)


def test_connections_are_dealt_out_to_several_processes() -> None:
    with ExitStack() as stack:
        listening = [stack.enter_context(one) for one in listen(HOST, 0, 2)]
        (address,) = {one.getsockname() for one in listening}
        for _ in range(64):
            stack.enter_context(socket.create_connection(address))
        for one in listening:
            one.setblocking(False)
            for _ in range(8):  # of 32 or so
                stack.enter_context(one.accept()[0])


@pytest.mark.slow
def test_two_processes_answer_as_one_record_each_thing_once_and_end_together(serving_config: Config) -> None:
    with serving(serving_config, workers=2) as (address, server), ThreadPoolExecutor(8) as at_once:

        def many(path: str, body: Any = None) -> list[dict[str, Any]]:
            return list(at_once.map(lambda _: ask(address, path, body), range(ASKED)))

        decision_ids = {answer["decision_id"] for answer in many("/api/decide", {"customer_id": "u-1"})}
        assert len(decision_ids) == ASKED
        counted = {answer["decisions"] for answer in many("/api/status")}
        assert len(counted) == 2  # one count a process
        assert sum(counted) == ASKED
        said = {"decision_id": min(decision_ids)}
        until(lambda: _is_known_to_both(many, said))
        assert sum(not answer["duplicate"] for answer in many("/api/outcomes", said)) == 1
        assert sum(not answer["duplicate"] for answer in many("/api/exposures", said)) == 1
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
        with pytest.raises(urllib.error.URLError):
            ask(address, "/healthz")


def _is_known_to_both(many: Any, said: dict[str, str]) -> bool:
    """What one process decided the other knows once it is written behind, some milliseconds later."""
    try:
        many("/api/outcomes", said | {"metric": "looked_for"})
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise
    return True

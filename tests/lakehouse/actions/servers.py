"""A real HTTP server and a real SMTP server on this machine that note what comes and answer as they are told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller


class Hook:
    """`answers`: status and headers of the next responses; then 200. `bodies`: theirs; then none. `gate`: closed = a call hangs.

    `paths`: where each call went.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.gate = Event()
        self.gate.set()
        self.url = ""


@contextmanager
def http_server() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append((dict(self.headers), json.loads(body)))
            hook.paths.append(self.path)
            hook.gate.wait(20)
            status, headers = hook.answers.pop(0) if hook.answers else (200, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            answer = json.dumps(hook.bodies.pop(0)).encode() if hook.bodies else b""
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.gate.set()
        server.shutdown()
        server.server_close()


class Mailbox:
    """`answer`: of RCPT TO, instead of taking the recipient."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], bytes]] = []
        self.answer: str | None = None
        self.port = 0

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        if self.answer is not None:
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        self.letters.append((envelope.rcpt_tos, envelope.content))
        return "250 taken"


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    from lakehouse.machine import free_port

    mailbox = Mailbox()
    mailbox.port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()

"""A small server of the protocol of a schema registry, for tests: it gives out what was registered, and can be made to fail.

Written by the API reference at docs.confluent.io. Apicurio 3.0.9 was asked by hand the same way, and answered alike: 200 by id and by
version, 404 with error codes 40401, 40402 and 40403 for what it does not know.
"""

import base64
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote


class RunningRegistry:
    """asked: the paths, in order. failures: how many answers from now on are 503. status: every answer's, where it is not None. page: status and text of
    every answer, where it is not None. pause: seconds before an answer. authorization: the header that is expected; None = none is.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.failures = 0
        self.status: int | None = None
        self.page: tuple[int, str] | None = None
        self.pause = 0.0
        self.authorization: str | None = None
        self._schemas: dict[int, dict[str, Any]] = {}
        self._subjects: dict[str, list[int]] = {}

    def register(
        self,
        schema: Any,
        subject: str = "records",
        *,
        type_: str = "AVRO",
        references: tuple[tuple[str, str, int], ...] = (),
        number: int | None = None,
    ) -> int:
        """The id. `references`: (name, subject, version). `number`: the id it shall have; None = the next one."""
        number = number or len(self._schemas) + 1
        told: dict[str, Any] = {"schema": schema if isinstance(schema, str) else json.dumps(schema)}
        if type_ != "AVRO":
            told["schemaType"] = type_
        if references:
            told["references"] = [dict(zip(("name", "subject", "version"), one, strict=True)) for one in references]
        self._schemas[number] = told
        self._subjects.setdefault(subject, []).append(number)
        return number

    def answer(self, path: str, authorization: str | None) -> tuple[int, str]:
        self.asked.append(path)
        time.sleep(self.pause)
        if self.failures:
            self.failures -= 1
            return 503, ""
        if self.page is not None:
            return self.page
        if self.status is not None:
            return self.status, json.dumps({"error_code": self.status, "message": "no"})
        if authorization != self.authorization:
            return 401, json.dumps({"error_code": 401, "message": "Unauthorized"})
        match path.removeprefix("/api").split("/")[1:]:
            case ["schemas", "ids", number] if int(number) in self._schemas:
                return 200, json.dumps(self._schemas[int(number)])
            case ["subjects", subject, "versions", version] if len(self._of(subject)) >= int(version):
                registered = self._of(subject)[int(version) - 1]
                told = {"subject": unquote(subject), "version": int(version), "id": registered}
                return 200, json.dumps(told | self._schemas[registered])
        return 404, json.dumps({"error_code": 40403, "message": "Schema not found"})

    def _of(self, subject: str) -> list[int]:
        return self._subjects.get(unquote(subject), [])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def running(certificate: Path | None = None) -> Iterator[RunningRegistry]:
    """Until the end of the block. `certificate`: a PEM file with the key in it, for https."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else the client's system waits 40 ms before it asks for the second

        def do_GET(self) -> None:
            status, text = registry.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Of a client that went away, which is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    registry = RunningRegistry(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Spans arrive where OpenTelemetry's own variable says; off, nothing of it is even imported."""

import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from lakehouse.config import PROJECT

SPANS = """
import sys
from serving.telemetry import carrier, spans
span = spans("test-service", is_on={0})
with span("decision", kind="offer"):
    headers = carrier() if {0} else []
print("opentelemetry.sdk" in sys.modules, *(f"{{name}}={{value.decode()}}" for name, value in headers))
"""


def run(is_on: bool, endpoint: str = "") -> str:
    environ = os.environ | {"PYTHONPATH": str(PROJECT), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    command = [sys.executable, "-c", SPANS.format(is_on)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def test_a_span_is_sent_over_otlp_when_on() -> None:
    came, bodies = Event(), []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            came.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        told = run(True, f"http://127.0.0.1:{server.server_port}")
        assert re.fullmatch(r"True traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", told)
        assert came.wait(10)
        server.shutdown()
    path, body = bodies[0]
    assert path == "/v1/traces"
    assert b"test-service" in body
    assert b"decision" in body


def test_off_nothing_is_imported() -> None:
    assert run(False) == "False"

"""Tokens from a real server: one is asked for when it is needed, and kept for most of its life."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kafka.errors import SaslAuthenticationFailedError

from lakehouse.kafka.oauth_tokens import ClientCredentials


class Server:
    """Answers with `answer`; `asked` holds what came."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b""
        self.asked: list[tuple[str | None, str]] = []

    def gives(self, token: str, **more: Any) -> None:
        self.answer = json.dumps({"access_token": token, **more}).encode()


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            state.asked.append((self.headers.get("authorization"), body))
            self.send_response(state.status)
            self.send_header("content-length", str(len(state.answer)))
            self.end_headers()
            self.wfile.write(state.answer)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield state, f"http://127.0.0.1:{http.server_port}/token"
        http.shutdown()


def credentials(url: str, now: list[float]) -> ClientCredentials:
    return ClientCredentials(url=url, client_id="us", client_secret="ß3cret", scope="kafka", clock=lambda: now[0])


def test_a_token_is_kept_for_most_of_its_life(server: tuple[Server, str]) -> None:
    (state, url), now = server, [1000.0]
    tokens = credentials(url, now)
    state.gives("one", expires_in=100)
    assert [tokens.token(), tokens.token()] == ["one", "one"]
    state.gives("two")
    now[0] += 79
    assert tokens.token() == "one"
    now[0] += 1
    assert tokens.token() == "two"
    now[0] += 239  # a server that tells no life means five minutes
    assert tokens.token() == "two"
    assert state.asked == [("Basic dXM6w58zY3JldA==", "grant_type=client_credentials&scope=kafka")] * 2


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [(401, b'{"error": "\xc3\x9f3cret"}', "HTTP 401"), (200, b"<html>", "JSONDecodeError"), (200, b"{}", "KeyError")],
)
def test_no_token_is_one_line_without_what_the_server_said(
    server: tuple[Server, str], status: int, answer: bytes, said: str
) -> None:
    state, url = server
    state.status, state.answer = status, answer
    with pytest.raises(SaslAuthenticationFailedError, match=rf"no token from {url}: {said}") as caught:
        credentials(url, [0.0]).token()
    assert "3cret" not in str(caught.value)


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(SaslAuthenticationFailedError, match=r"no token from http://127\.0\.0\.1:1/: ConnectionError"):
        credentials("http://127.0.0.1:1/", [0.0]).token()

"""The keys of an identity provider: whatever it answers, or does not, those of before stay for the time that is stated, and no thread ends."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from serving.state import provider_keys
from serving.state.provider_keys import KEPT_SECONDS, ProviderKeys, Unconfirmed, fetched
from tests.serving.provider_tokens import PRIVATE, jwks

OTHER = ec.generate_private_key(ec.SECP256R1())
SET = jwks(one=PRIVATE)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def provider(*pieces: bytes, endless: bytes = b"") -> Iterator[str]:
    """Whatever is asked, these bytes come, and the connection ends; `endless`: these come again and again instead, until the asker is gone."""
    is_over = Event()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            for piece in pieces:
                self.request.sendall(piece)
            while endless and not is_over.wait(0.01):
                try:
                    self.request.sendall(endless)
                except OSError:
                    return

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/keys"
        finally:
            is_over.set()
            server.shutdown()


def head(status: str = "200 OK", **more: object) -> bytes:
    lines = [f"HTTP/1.1 {status}", "connection: close", *(f"{name.replace('_', '-')}: {v}" for name, v in more.items())]
    return "\r\n".join([*lines, "", ""]).encode()


FAULTS: dict[str, tuple[bytes, ...]] = {
    "nothing": (),
    "no HTTP": (b"\x00\xff" * 100,),
    "less than announced": (head(content_length=1_000), SET),
    "a chunk cut off": (head(transfer_encoding="chunked"), b"ff\r\n{"),
    "chunks that are none": (head(transfer_encoding="chunked"), b"zz\r\nx"),
    "no gzip": (head(content_encoding="gzip", content_length=4), b"none"),
    "a redirect": (head("302 Found", location="/other", content_length=0),),
    "an error": (head("500 No", content_length=len(SET)), SET),
    "no JSON": (head(content_length=4), b"none"),
    "more than keys are": (head(content_length=1_100_000), b" " * 1_100_000),
}


@pytest.mark.parametrize("pieces", FAULTS.values(), ids=FAULTS)
def test_whatever_the_provider_answers_is_told_and_ends_nothing(
    pieces: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with provider(*pieces) as address:
        ProviderKeys(address, fetched).look()
    assert f"oauth.jwks: {address} cannot be read, got " in caplog.text


def test_who_never_ends_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_keys, "_FETCH_SECONDS", 0.3)
    with provider(head(), endless=b" ") as address, pytest.raises(OSError, match="not all of it within"):
        fetched(address)


def test_keys_are_fetched_where_the_provider_has_them(tmp_path: Path) -> None:
    with provider(head(content_length=len(SET)), SET) as address:
        assert fetched(address) == SET
    (tmp_path / "keys.json").write_bytes(SET)
    assert fetched(str(tmp_path / "keys.json")) == SET


def named(private: Any, **changes: object) -> dict[str, Any]:
    return {**json.loads(ECAlgorithm.to_jwk(private.public_key())), "kid": "one", **changes}


ODD: dict[str, Any] = {
    "no object": 7,
    "of no kind": {"kty": 5},
    "without its numbers": {"kty": "EC", "kid": "two"},
    "of a list for an algorithm": named(OTHER, kid="two", alg=["ES256"]),
    "of the algorithm none": named(OTHER, kid="two", alg="none"),
    "of a list for an id": named(OTHER, kid=[]),
    "of a number for a number": {"kty": "RSA", "kid": "two", "n": 5, "e": "AQAB"},
    "to encrypt by": named(OTHER, kid="two", use="enc"),
    "a shared secret": {"kty": "oct", "kid": "two", "k": "eHg"},
    "the private half": {**json.loads(ECAlgorithm.to_jwk(OTHER)), "kid": "two"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_one_odd_key_costs_nobody_the_others_and_is_none(odd: Any) -> None:
    keys = ProviderKeys("keys", lambda _: json.dumps({"keys": [odd, named(PRIVATE)]}).encode())
    keys.look()
    assert set(keys.trusted.keys) == {"one", None}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys":[]}', b'{"keys":7}', b'{"keys":[{"kty":"EC"}]}'])
def test_what_is_no_set_changes_nothing(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    sets = [SET]
    keys = ProviderKeys("keys", lambda _: sets[-1])
    keys.look()
    before = keys.trusted
    sets.append(content)
    keys.look()
    assert keys.trusted is before
    assert "cannot be read" in caplog.text


def away(_: str) -> bytes:
    raise OSError("away")


def test_keys_that_nobody_confirms_end_after_the_time_that_is_stated() -> None:
    clock, fetch = Clock(), [lambda _: SET, away]
    keys = ProviderKeys("keys", lambda place: fetch[0](place), clock)
    with pytest.raises(Unconfirmed, match="does not tell its keys"):
        keys.trusted  # noqa: B018
    keys.look()
    fetch.reverse()
    clock.now += KEPT_SECONDS
    keys.look()
    assert keys.trusted.keys
    clock.now += 1
    with pytest.raises(Unconfirmed, match="does not tell its keys"):
        keys.trusted  # noqa: B018
    fetch.reverse()
    keys.look()
    assert keys.trusted.keys


def test_a_key_nobody_knows_is_none_only_while_the_provider_can_be_asked() -> None:
    fetch: list[Callable[[str], bytes]] = [lambda _: SET, away]
    keys = ProviderKeys("keys", lambda place: fetch[0](place))
    keys.look()
    keys.lacks()
    fetch.reverse()
    keys.look()
    with pytest.raises(Unconfirmed, match="cannot be read now"):
        keys.lacks()


def test_it_looks_again_before_its_time_where_a_key_is_lacking_or_the_last_look_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider_keys, "PAUSE_SECONDS", 0.01)
    sets: list[bytes | None] = [SET]
    looks = 0

    def fetch(_: str) -> bytes:
        nonlocal looks
        looks += 1
        if sets[-1] is None:
            raise OSError("away")
        return sets[-1]

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await asyncio.sleep(0.01)

    async def story() -> None:
        keys = ProviderKeys("keys", fetch)
        keys.look()
        task = asyncio.create_task(keys.follow())
        sets.append(jwks(two=OTHER))
        for _ in range(10_000):  # however many tokens name it, they are one reason to look
            keys.lacks()
        await until(lambda: "two" in keys.trusted.keys)
        assert looks == 2
        sets.append(None)
        keys.lacks()
        await until(lambda: looks >= 4)
        sets.append(SET)
        await until(lambda: "one" in keys.trusted.keys)
        assert not task.done()
        task.cancel()

    asyncio.run(story())


def test_keys_and_what_they_have_checked_change_together() -> None:
    sets = [SET]
    keys = ProviderKeys("keys", lambda _: sets[-1])
    keys.look()
    before = keys.trusted
    sets.append(jwks(two=OTHER))
    keys.look()
    assert keys.trusted.believed is not before.believed
    assert all(isinstance(key, jwt.PyJWK) for key in keys.trusted.keys.values())

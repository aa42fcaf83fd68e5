"""Tokens of an identity provider: which open something, and what, and which open nothing however they are made."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lakehouse.config.sections import OauthConfig
from serving.state.tokens import Tokens, Untrusted, fetched, is_token
from tests.serving.provider_tokens import AUDIENCE, ISSUER, PRIVATE, claims, jwks, signed

OTHER = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unsigned(header: dict[str, Any] | None = None) -> str:
    parts = (json.dumps(part).encode() for part in (header or {"alg": "none", "kid": "one"}, claims()))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def tokens(content: bytes | None = None, **changes: Any) -> Tokens:
    settings = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": "keys.json", "algorithms": ("ES256",)} | changes
    made = Tokens(OauthConfig(**settings), lambda _: content or jwks(one=PRIVATE))
    made.look()
    return made


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        ({"roles": ["ingest"]}, {"ingest"}),
        ({"roles": ["decide"]}, {"decide"}),
        ({"roles": ["analyst"]}, {"profiles"}),
        ({"roles": ["privacy_officer"]}, {"profiles", "suppress"}),
        ({"roles": ["admin"]}, {"admin"}),
        ({"roles": ["analyst", "ingest", "king"]}, {"profiles", "ingest"}),
        ({"roles": None, "scope": "openid decide profile ingest"}, {"decide", "ingest"}),
        ({"roles": "admin"}, set()),
        ({"roles": None, "scope": ["admin"]}, set()),
        ({"roles": [["admin"], 7, None, {"a": 1}]}, set()),
        ({"roles": None}, set()),
    ],
)
def test_a_token_may_do_what_its_roles_and_scopes_say(said: dict[str, Any], scopes: set[str]) -> None:
    key = tokens().holder(signed(**said), time.time())
    assert key.scopes == scopes
    assert "kim" not in key.name


def test_whose_token_it_is_is_the_same_for_every_token_of_theirs() -> None:
    taken = tokens()
    names = [
        taken.holder(signed(sub=sub, jti=jti), time.time()).name for sub, jti in (("a", "1"), ("a", "2"), ("b", "1"))
    ]
    assert names[0] == names[1] != names[2]


def stolen_header() -> str:
    """The public key taken for a shared secret, as if HMAC had been used: what a library does that lets the token choose."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims())
    )
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    by = base64.urlsafe_b64encode(signature.sign(f"{head}.{body}".encode(), PUBLIC)).decode().rstrip("=")
    return f"{head}.{body}.{by}"


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "ended": (lambda: signed(exp=int(time.time()) - 60), "has ended"),
    "not yet": (lambda: signed(nbf=int(time.time()) + 300), "holds only later"),
    "without an end": (lambda: signed(exp=None), "lacks a claim"),
    "of nobody": (lambda: signed(sub=None), "lacks a claim"),
    "for another": (lambda: signed(aud="shop"), "is for another service"),
    "for nobody": (lambda: signed(aud=None), "lacks a claim"),
    "of another issuer": (lambda: signed(iss="https://evil.example.com"), "is of another issuer"),
    "by another key": (lambda: signed(OTHER), "is none of"),
    "by an unknown key": (lambda: signed(OTHER, key_id="two"), "names a key that is not among oauth.jwks"),
    "unsigned": (unsigned, "is signed otherwise"),
    "unsigned, spelt otherwise": (lambda: unsigned({"alg": "nOnE", "kid": "one"}), "is signed otherwise"),
    "without an algorithm": (lambda: unsigned({"kid": "one"}), "is signed otherwise"),
    "by the public key as a secret": (stolen_header, "is signed otherwise"),
    "cut": (lambda: signed()[:-4], "is none of"),
    "no base64": (lambda: "ä.b.c", "is none of"),
    "empty": (lambda: "..", "is none of"),
    "deep": (lambda: base64.urlsafe_b64encode(b"[" * 6000).decode() + ".b.c", "is none of"),
    "long": (lambda: signed(roles=["x" * 9000]), "more than 8192 bytes"),
}


@pytest.mark.parametrize(("made", "told"), FORGED.values(), ids=FORGED)
def test_a_token_that_is_none_opens_nothing_and_is_not_repeated(made: Callable[[], str], told: str) -> None:
    with pytest.raises(Untrusted, match=f"^token: {told}") as refused:
        tokens().holder(made(), time.time())
    assert "example.com" not in str(refused.value)


def test_by_an_algorithm_that_is_not_declared_nobody_comes_in_though_the_key_is_known() -> None:
    key = rsa.generate_private_key(65537, 2048)
    token = signed(key, "RS256")
    with pytest.raises(Untrusted, match="is signed otherwise"):
        tokens(jwks(one=key)).holder(token, time.time())
    assert tokens(jwks(one=key), algorithms=("RS256",)).holder(token, time.time()).scopes == {"profiles"}


def test_a_shared_secret_among_the_keys_is_none() -> None:
    secret = {"kty": "oct", "kid": "s", "k": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")}
    both = json.dumps({"keys": [secret, *json.loads(jwks(one=PRIVATE))["keys"]]}).encode()
    assert tokens(both).holder(signed(key_id=None), time.time())  # the only one
    with pytest.raises(Untrusted, match=r"not among oauth\.jwks"):
        tokens(both).holder(signed(b"x" * 32, "HS256", "s"), time.time())


def test_a_token_that_was_believed_ends_when_it_says() -> None:
    taken, token = tokens(), signed(exp=int(time.time()) + 2)
    assert taken.holder(token, time.time())
    assert taken.holder(token, time.time() + 1)
    taken._keys = {}  # nobody could check it now
    with pytest.raises(Untrusted):
        taken.holder(token, time.time() + 3)


def test_keys_change_while_the_service_runs_and_old_ones_open_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "keys.json"
    place.write_bytes(jwks(one=PRIVATE))
    taken = Tokens(OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks=str(place), algorithms=("ES256",)), fetched)
    taken.look()
    old = signed()
    assert taken.holder(old, time.time())
    place.write_bytes(jwks(two=OTHER))
    taken.look()
    assert taken.holder(signed(OTHER, key_id="two"), time.time())
    with pytest.raises(Untrusted):
        taken.holder(old, time.time())
    for broken in (b"", b"[]", b'{"keys":[]}', b'{"keys":[{"kty":"EC"}]}'):
        place.write_bytes(broken)
        taken.look()
        assert "cannot be read" in caplog.text
        caplog.clear()
        assert taken.holder(signed(OTHER, key_id="two"), time.time())
    place.unlink()
    taken.look()
    assert f"oauth.jwks: {place} cannot be read" in caplog.text


@contextmanager
def provider(status: int) -> Iterator[str]:
    """An identity provider's address of keys."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(jwks(one=PRIVATE))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_fetched_where_the_provider_has_them() -> None:
    with provider(200) as address:
        assert fetched(address) == jwks(one=PRIVATE)
    with provider(302) as address, pytest.raises(OSError, match="status 302"):
        fetched(address)


def test_an_unknown_key_makes_it_look_again_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.state.tokens._PAUSE_SECONDS", 0.01)
    sets = [jwks(one=PRIVATE)]
    config = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks="keys.json", algorithms=("ES256",))

    async def story() -> None:
        taken, token = Tokens(config, lambda _: sets[-1]), signed(OTHER, key_id="two")
        taken.look()
        task = asyncio.create_task(taken.follow())
        sets.append(jwks(two=OTHER))
        with pytest.raises(Untrusted):
            taken.holder(token, time.time())
        async with asyncio.timeout(30):
            while not taken._keys.get("two"):
                await asyncio.sleep(0.01)
        assert taken.holder(token, time.time())
        task.cancel()

    asyncio.run(story())


def test_no_key_has_the_shape_of_a_token() -> None:
    assert is_token(signed())
    assert not is_token("dev")
    assert not is_token("sl_" + "x" * 43)

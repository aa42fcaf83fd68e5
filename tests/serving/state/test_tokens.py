"""Tokens of an identity provider: which open something, and what, and which open nothing however they are made."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lakehouse.config.sections import OauthConfig
from serving.state.provider_keys import Unconfirmed
from serving.state.tokens import Tokens, Untrusted, is_token
from tests.serving.provider_tokens import AUDIENCE, ISSUER, PRIVATE, claims, jwks, signed

OTHER = ec.generate_private_key(ec.SECP256R1())
OWN = json.loads(jwks(evil=OTHER))["keys"][0]
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
    "half a character": (lambda: "a.b\ud800.c", "is none of"),
    "a key by its path": (lambda: signed(OTHER, key_id="../../dev/null"), "names a key that is not among oauth.jwks"),
    "a key of its own": (
        lambda: jwt.encode(claims(), OTHER, "ES256", headers={"kid": "evil", "jku": "http://127.0.0.1/", "jwk": OWN}),
        "names a key that is not among oauth.jwks",
    ),
    "without an end that is one": (lambda: signed(exp=float("inf")), "is none of"),
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
    now = time.time()
    taken, token = tokens(), signed(exp=int(now) + 3)
    assert taken.holder(token, now)
    assert not is_checked_again(taken, token, now + 1)
    assert is_checked_again(taken, token, now + 4)


def is_checked_again(taken: Tokens, token: str, now: float) -> bool:
    """By its signature, and not because it was believed once."""
    with pytest.MonkeyPatch.context() as during:
        during.setattr("serving.state.tokens.jwt.decode", lambda *_, **__: pytest.fail("checked"))
        try:
            taken.holder(token, now)
        except pytest.fail.Exception:
            return True
    return False


def test_an_end_of_any_size_is_one() -> None:
    assert tokens().holder(signed(exp=10**400), time.time()).scopes == {"profiles"}


def test_a_key_that_is_gone_opens_nothing_though_its_token_was_believed() -> None:
    sets = [jwks(one=PRIVATE)]
    config = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks="keys.json", algorithms=("ES256",))
    taken = Tokens(config, lambda _: sets[-1])
    taken.look()
    old = signed()
    assert taken.holder(old, time.time())
    sets.append(jwks(two=OTHER))
    taken.look()
    assert taken.holder(signed(OTHER, key_id="two"), time.time())
    with pytest.raises(Untrusted, match=r"not among oauth\.jwks"):
        taken.holder(old, time.time())


def test_a_token_checked_as_its_key_goes_is_not_believed_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are read by a thread of their own: they may change between the check of a token and its being noted."""
    sets = [jwks(one=PRIVATE)]
    config = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks="keys.json", algorithms=("ES256",))
    taken, decode = Tokens(config, lambda _: sets[-1]), jwt.decode
    taken.look()

    def decoded_while_keys_change(*given: Any, **more: Any) -> Any:
        claims = decode(*given, **more)
        sets.append(jwks(two=OTHER))
        taken.look()
        return claims

    token = signed()
    with monkeypatch.context() as during:
        during.setattr("serving.state.tokens.jwt.decode", decoded_while_keys_change)
        assert taken.holder(token, time.time())
    with pytest.raises(Untrusted, match=r"not among oauth\.jwks"):
        taken.holder(token, time.time())


def test_before_its_keys_are_there_nobody_is_called_a_liar() -> None:
    def away(_: str) -> bytes:
        raise OSError("away")

    config = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks="keys.json", algorithms=("ES256",))
    taken = Tokens(config, away)
    for _ in range(2):
        with pytest.raises(Unconfirmed, match="does not tell its keys"):
            taken.holder(signed(), time.time())
        taken.look()


def test_no_key_has_the_shape_of_a_token() -> None:
    assert is_token(signed())
    assert not is_token("dev")
    assert not is_token("sl_" + "x" * 43)

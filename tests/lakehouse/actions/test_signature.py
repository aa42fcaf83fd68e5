"""Signatures, held to a verification written from the text of Standard Webhooks alone, and to its own example."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.actions.signature import key_of, signed

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + base64.b64encode(b"o" * 32).decode()


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: int) -> bool:
    """As a receiver does it."""
    if abs(now - int(headers["webhook-timestamp"])) > 300:
        return False
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    mac = hmac.new(base64.b64decode(secret.split("_", 1)[1]), content, hashlib.sha256)
    told = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and base64.b64decode(text) == mac.digest() for version, text in told)


def test_the_example_of_its_libraries() -> None:
    """Source: https://github.com/standard-webhooks/standard-webhooks, the tests of its libraries."""
    body = b'{"test": 2432232314}'
    headers = signed(body, id_="msg_p5jXN8AQM9LWM0D4loKWxJek", at_seconds=1614265330, secrets=[SECRET])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.integers(0, 2**33))
def test_a_receiver_finds_it_genuine_by_any_of_the_secrets_and_no_other(body: bytes, at: int) -> None:
    headers = signed(body, id_="d1:crm", at_seconds=at, secrets=[OTHER, SECRET])
    assert is_genuine(headers, body, SECRET, at + 10)
    assert is_genuine(headers, body, OTHER, at + 10)
    assert not is_genuine(headers, body, "whsec_" + base64.b64encode(b"x" * 24).decode(), at)
    assert not is_genuine(headers, body + b" ", SECRET, at)
    assert not is_genuine(headers | {"webhook-id": "d2:crm"}, body, SECRET, at)
    assert not is_genuine(headers | {"webhook-timestamp": str(at + 1)}, body, SECRET, at)
    assert not is_genuine(headers, body, SECRET, at + 301)


@pytest.mark.parametrize("secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_????", "whsec_c2hvcnQ="])
def test_what_is_no_secret_is_told(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        key_of(secret)

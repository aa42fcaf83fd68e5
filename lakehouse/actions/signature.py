"""Signatures of webhooks, so that whoever is called knows it was us and when. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The receiver takes the same HMAC
over id, timestamp and the bytes of the body, and refuses what is older than some minutes.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64


def signed(body: bytes, *, id_: str, at_seconds: int, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one call; with several secrets a signature by each, so that one can replace another.

    `id_`: the same for every attempt. `at_seconds`: since 1970. `secrets`: `whsec_` and base64, as `key_of` reads them.
    """
    content = f"{id_}.{at_seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode() for secret in secrets)
    return {ID: id_, TIMESTAMP: str(at_seconds), SIGNATURE: " ".join(f"v1,{signature}" for signature in signatures)}


def key_of(secret: str) -> bytes:
    """The key's bytes.

    Raises:
        ValueError: not `whsec_` and the base64 of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except binascii.Error:
        key = b""
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"expected {PREFIX} and the base64 of {_LEAST_BYTES} to {_MOST_BYTES} random bytes")
    return key

"""Tokens for pages: what a shop's server hands to a browser, which must not see a key. Each opens one visitor's WebSocket, for minutes.

A token says whom it is for and when it ends, and is signed by HMAC-SHA256 (RFC 2104) with a key derived from the lake's, so that
every process accepts it and none needs a secret more. It holds no personal data: a visitor is named as the lake names them.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

import orjson

_PURPOSE = b"stitchlake page token 1"  # a key for one purpose: no token of the lake is ever such a signature
_SIGNATURE_BYTES = 32


class PageTokens:
    """Made from `secret`, the same in every process of the service."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def make(self, whom: dict[str, str], ends_at: datetime) -> str:
        """`whom`: session_id, or identifier_type and its token."""
        said = orjson.dumps([int(ends_at.timestamp()), whom])
        return base64.urlsafe_b64encode(self._signature(said) + said).decode().rstrip("=")

    def read(self, token: str, now: datetime) -> dict[str, str] | None:
        """Whom it is for; None where it is none of ours or has ended."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        signature, said = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(said)):
            return None
        ends_at, whom = self._said(said)
        return whom if now.timestamp() < ends_at else None

    @staticmethod
    def _said(said: bytes) -> Any:
        return orjson.loads(said)

    def _signature(self, said: bytes) -> bytes:
        return hmac.new(self._key, said, hashlib.sha256).digest()

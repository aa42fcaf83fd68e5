"""Whether a body was sent by who knows a secret: HMAC, as a source declares it. Pure.

Sources: https://shopify.dev/docs/apps/build/webhooks/subscribe/https, https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks,
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, https://docs.stripe.com/webhooks/signature.
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from lakehouse.errors import StitchlakeError
from lakehouse.sources.webhook import Signature

_MOST_GIVEN = 8  # signatures in one header: a sender that changes its secret signs by both


class Unsigned(StitchlakeError):
    """Nobody who knows a secret has sent it."""


def verify(declared: Signature, secrets: Sequence[bytes], sent: bytes | None, body: bytes, now: datetime) -> None:
    """Return if the body was signed by one of the secrets. `sent`: the header as it came; None = it did not.

    However many secrets there are, all are compared, each in constant time: how long it takes tells nothing.

    Raises:
        Unsigned: it was not, or too long ago. Tells the header, and nothing of what was sent.
    """
    if not sent:
        raise Unsigned(f"{declared.header}: missing, expected the signature of the body. Send it")
    if declared.signs == "body":
        given, signed = [sent.strip()], body
    else:
        given, signed = _timed(declared, sent, body, now)
    prefix = declared.prefix.encode()
    expected = [prefix + _hmac(declared, secret, signed) for secret in secrets]
    held = [hmac.compare_digest(one, ours) for one in given[:_MOST_GIVEN] for ours in expected]
    if not any(held):
        raise Unsigned(
            f"{declared.header}: not the signature of this body, expected {declared.algorithm} HMAC in {declared.encoding} "
            "by the secret that is set here. Set the same on both sides"
        )


def _hmac(declared: Signature, secret: bytes, signed: bytes) -> bytes:
    made = hmac.new(secret, signed, declared.algorithm)
    return b64encode(made.digest()) if declared.encoding == "base64" else made.hexdigest().encode()


def _timed(declared: Signature, sent: bytes, body: bytes, now: datetime) -> tuple[list[bytes], bytes]:
    """The signatures in a header of `t=<seconds>,v1=<signature>`, and what they sign."""
    parts = [part.strip().partition(b"=") for part in sent.split(b",")]
    times = [value for name, _, value in parts if name == b"t"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12:
        raise Unsigned(f"{declared.header}: without a time, expected t=<seconds since 1970>,v1=<signature>")
    off_ms = abs(now.timestamp() - int(times[0])) * 1000
    if off_ms > declared.tolerance:
        raise Unsigned(
            f"{declared.header}: signed {off_ms / 1000:.0f} s from now, expected {declared.tolerance // 1000} s at most. "
            "Sign it anew, and set the clocks"
        )
    return [value for name, _, value in parts if name == b"v1"], times[0] + b"." + body

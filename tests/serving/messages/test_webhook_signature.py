"""Signatures of webhooks, held to examples that others published."""

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.sources.webhook import Signature
from serving.messages.webhook_signature import Unsigned, verify

SHOPIFY = Signature(header="X-Shopify-Hmac-Sha256", encoding="base64")
GITHUB = Signature(header="X-Hub-Signature-256", encoding="hex", prefix="sha256=")
STRIPE = Signature(header="Stripe-Signature", encoding="hex", signs="time_and_body")
NOW = datetime(2026, 11, 29, tzinfo=UTC)

# github.com/sqlpage/SQLPage, tests of sqlpage.hmac "Shopify webhook HMAC validation"; by OpenSSL the same.
ORDER = b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}'
ORDER_SECRET, ORDER_SIGNATURE = b"test-webhook-secret", b"QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw="
# docs.github.com, "Testing the webhook payload validation".
HELLO, HELLO_SECRET = b"Hello, World!", b"It's a Secret to Everybody"
HELLO_SIGNATURE = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
# By OpenSSL: printf '%s' '1795910400.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
CHARGE, CHARGE_SECRET = b'{"id":"evt_1"}', b"whsec_test"
CHARGE_SIGNATURE = b"ca7365e1706cb36191267575a131f112ada514efefd8f4397ba00316cfdef9bd"
CHARGED = b"t=1795910400,v1=" + CHARGE_SIGNATURE


def is_signed(declared: Signature, secret: bytes, sent: bytes | None, body: bytes, now: datetime = NOW) -> bool:
    try:
        verify(declared, [b"another", secret], sent, body, now)
    except Unsigned as unsigned:
        return not _is_told(declared, sent, str(unsigned))
    return True


def _is_told(declared: Signature, sent: bytes | None, words: str) -> bool:
    """In one line that names the header, and shows nothing of what was sent."""
    return declared.header in words and "\n" not in words and (not sent or sent.decode("latin-1") not in words)


@pytest.mark.parametrize(
    ("declared", "secret", "sent", "body"),
    [
        (SHOPIFY, ORDER_SECRET, ORDER_SIGNATURE, ORDER),
        (GITHUB, HELLO_SECRET, HELLO_SIGNATURE, HELLO),
        (STRIPE, CHARGE_SECRET, CHARGED, CHARGE),
        (STRIPE, CHARGE_SECRET, b"t=1795910400,v1=00,v0=11, v1=" + CHARGE_SIGNATURE, CHARGE),
    ],
)
def test_what_was_signed_is_believed_and_nothing_else(
    declared: Signature, secret: bytes, sent: bytes, body: bytes
) -> None:
    assert is_signed(declared, secret, sent, body)
    assert is_signed(declared, secret, b" " + sent + b" ", body)
    assert not is_signed(declared, secret, sent, body + b" "), "a byte more"
    assert not is_signed(declared, secret + b"x", sent, body), "another secret"
    assert not is_signed(declared, secret, sent[:-1], body)
    assert not is_signed(declared, secret, b"", body)
    assert not is_signed(declared, secret, None, body)
    assert not is_signed(declared, secret, b"\xff\xfe", body)


def test_a_signature_is_of_its_form_and_no_other() -> None:
    assert not is_signed(GITHUB, HELLO_SECRET, HELLO_SIGNATURE.removeprefix(b"sha256="), HELLO)
    assert not is_signed(SHOPIFY, HELLO_SECRET, HELLO_SIGNATURE, HELLO)
    sha1 = GITHUB.model_copy(update={"algorithm": "sha1"})
    assert not is_signed(sha1, HELLO_SECRET, HELLO_SIGNATURE, HELLO)


def test_one_that_is_old_or_of_a_time_to_come_is_no_good_any_more() -> None:
    for off in (timedelta(seconds=300), -timedelta(seconds=300)):
        assert is_signed(STRIPE, CHARGE_SECRET, CHARGED, CHARGE, NOW + off)
        assert not is_signed(STRIPE, CHARGE_SECRET, CHARGED, CHARGE, NOW + off * 1.01)
    for sent in (
        b"v1=" + CHARGE_SIGNATURE,
        b"t=,v1=" + CHARGE_SIGNATURE,
        b"t=1795910400," + CHARGED,
        b"t=" + b"9" * 400,
    ):
        assert not is_signed(STRIPE, CHARGE_SECRET, sent, CHARGE)

"""Whether a message of Amazon SNS is one: signed by Amazon, and of late. Pure, but for the certificate, whose fetching is passed in.

Source of what is signed, of the versions and of where certificates lie:
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. An endpoint of HTTP is tried for an hour at most:
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from serving.messages.collector import Refused

NOTIFICATION, SUBSCRIPTION, ENDED = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
OLDEST, MOST_AHEAD = timedelta(minutes=75), timedelta(minutes=15)  # an hour of tries, and clocks that differ
Certificate = Callable[[str], bytes]
"""The PEM at an address of Amazon's; raises OSError where it cannot be fetched now."""

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _CONFIRMATION,
    ENDED: _CONFIRMATION,
}
_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
# A region begins with letters: sns.s3-us-west-2.amazonaws.com is anybody's bucket of that name.
_HOST = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE_URL = re.compile(_HOST + r"/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")
_SUBSCRIBE_URL = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[0-9A-Za-z=&:%._-]{1,1500}")
_EXPECTED = "expected a message as Amazon SNS signs it"


def is_of_sns(document: Any) -> bool:
    """Whether it says that it is a message of SNS."""
    named = document.get("Type") if isinstance(document, dict) else None
    return isinstance(named, str) and named in _SIGNED and "TopicArn" in document


def verify(document: Mapping[str, Any], now: datetime, certificate: Certificate) -> None:
    """Return if Amazon signed it within the time that it tries for.

    Raises:
        Refused: it did not. Tells which field, never what was sent.
        OSError: the certificate cannot be fetched now.
    """
    make_hash = _HASHES.get(_text(document, "SignatureVersion"))
    if make_hash is None:
        raise Refused(f"body.SignatureVersion: neither 1 nor 2, {_EXPECTED}")
    _is_of_late(_text(document, "Timestamp"), now)
    url = _text(document, "SigningCertURL")
    if _CERTIFICATE_URL.fullmatch(url) is None:
        raise Refused(f"body.SigningCertURL: no certificate of Amazon SNS, {_EXPECTED}")
    said = signed_text(document)
    try:
        signature = b64decode(_text(document, "Signature"), validate=True)
        _key(certificate(url), now).verify(signature, said, PKCS1v15(), make_hash())
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise Refused(f"body.Signature: not of this message, {_EXPECTED}") from error


def signed_text(document: Mapping[str, Any]) -> bytes:
    """The canonical text: each field that is signed by name and value, a line each, in the order of their names."""
    names = [name for name in _SIGNED[document["Type"]] if name != "Subject" or document.get(name) is not None]
    return "".join(f"{name}\n{_text(document, name)}\n" for name in names).encode("utf-8", "surrogatepass")


def subscribe_url(document: Mapping[str, Any]) -> str | None:
    """Where the owner may confirm a subscription; None where it is no place of Amazon's."""
    sent = document.get("SubscribeURL")
    return sent if isinstance(sent, str) and _SUBSCRIBE_URL.fullmatch(sent) else None


def _text(document: Mapping[str, Any], name: str) -> str:
    sent = document.get(name)
    if not isinstance(sent, str):
        raise Refused(f"body.{name}: no text, {_EXPECTED}")
    return sent


def _is_of_late(sent: str, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(sent)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if -MOST_AHEAD <= now - at <= OLDEST:
            return
    except (ValueError, OverflowError):
        pass
    raise Refused(f"body.Timestamp: no time of the last {OLDEST // timedelta(minutes=1)} minutes, {_EXPECTED}")


def _key(pem: bytes, now: datetime) -> RSAPublicKey:
    """Raises ValueError: no certificate of RSA that is valid now."""
    certificate = x509.load_pem_x509_certificate(pem)
    key = certificate.public_key()
    if (
        not isinstance(key, RSAPublicKey)
        or not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    ):
        raise ValueError("no certificate of RSA that is valid now")
    return key

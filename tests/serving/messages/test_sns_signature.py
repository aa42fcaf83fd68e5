"""Messages of SNS, signed by a certificate of the test's own; nothing is fetched."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from serving.messages.collector import Refused
from serving.messages.sns_signature import MOST_AHEAD, OLDEST, is_of_sns, signed_text, verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
KEYS = ("SignatureVersion", "Signature", "SigningCertURL")


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def pem(*, at: datetime = NOW, is_rsa: bool = True, ended: bool = False) -> bytes:
    key = rsa_key() if is_rsa else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    ends = at - timedelta(days=1) if ended else at + timedelta(days=1)
    made = made.not_valid_before(at - timedelta(days=9)).not_valid_after(ends)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def message(type_: str = "Notification", at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    more = {} if type_ == "Notification" else {"Token": "t", "SubscribeURL": "https://sns.example.com"}
    said = {
        **{"Type": type_, "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:1:ses", "Message": '{"a":\n1}é'},
        **{"Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "UnsubscribeURL": "https://u"},
    }
    return said | more | changes


def signed(said: dict[str, Any], version: str = "2") -> dict[str, Any]:
    """As the documentation of SNS tells it, written down anew."""
    order = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{said[name]}\n" for name in order if name in said)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[version]
    signature = b64encode(rsa_key().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return said | {"SignatureVersion": version, "Signature": signature, "SigningCertURL": URL}


def refused(document: dict[str, Any], certificate: bytes = b"") -> str | None:
    try:
        verify(document, NOW, lambda url: certificate or pem())
    except Refused as error:
        return str(error).split(":")[0]
    return None


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("said", [message(), message(Subject="s"), message("SubscriptionConfirmation")])
def test_what_amazon_signed_passes_and_not_one_signed_field_can_be_changed(said: dict[str, Any], version: str) -> None:
    document = signed(said, version)
    assert is_of_sns(document)
    assert refused(document) is None
    for name in {*said, *KEYS} - {"UnsubscribeURL", "Type", "Subject"}:
        assert refused(document | {name: f"{document[name]}x"}), name
        assert refused({key: value for key, value in document.items() if key != name}), name
    assert refused(document | {"Subject": "another"} if said["Type"] == "Notification" else document | {"Token": "u"})
    other = "1" if version == "2" else "2"
    assert refused(document | {"SignatureVersion": other}) == "body.Signature"


def test_a_message_is_taken_for_as_long_as_amazon_tries() -> None:
    second = timedelta(seconds=1)
    for at in (NOW - OLDEST, NOW, NOW + MOST_AHEAD):
        assert refused(signed(message(at=at))) is None
    for at in (NOW - OLDEST - second, NOW + MOST_AHEAD + second):
        assert refused(signed(message(at=at))) == "body.Timestamp"
    assert refused(signed(message(Timestamp="yesterday"))) == "body.Timestamp"
    assert refused(signed(message(Timestamp="0001-01-01T00:00:00+23:00"))) == "body.Timestamp"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
        "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.s3.amazonaws.com/SimpleNotificationService-0.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://u@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem\n",
        "https://sns.eu-west-1.amazonaws.com/../x/SimpleNotificationService-0.pem",
        "file:///etc/passwd",
    ],
)
def test_a_certificate_from_elsewhere_is_never_fetched(url: str) -> None:
    def fetch(_: str) -> bytes:
        raise AssertionError(url)

    with pytest.raises(Refused, match="SigningCertURL"):
        verify(signed(message()) | {"SigningCertURL": url}, NOW, fetch)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ap-southeast-4"])
def test_every_region_has_its_own(region: str) -> None:
    asked: list[str] = []
    url = URL.replace("eu-west-1", region)
    verify(signed(message()) | {"SigningCertURL": url}, NOW, lambda at: asked.append(at) or pem())  # type: ignore[func-returns-value]
    assert asked == [url]


def test_a_certificate_that_is_none_has_ended_or_has_no_key_of_rsa_signs_nothing() -> None:
    document = signed(message())
    for certificate in (b"no certificate", pem(ended=True), pem(is_rsa=False)):
        assert refused(document, certificate) == "body.Signature"


@given(
    st.dictionaries(st.sampled_from([*message(), *KEYS]), st.none() | st.text(max_size=3) | st.integers(), max_size=4)
)
def test_whatever_else_is_sent_is_refused(changes: dict[str, Any]) -> None:
    document = signed(message()) | changes
    if is_of_sns(document) and not changes.keys() <= {"UnsubscribeURL"}:
        assert refused(document) or signed_text(document) == signed_text(message())

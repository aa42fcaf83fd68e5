"""What librdkafka says when a broker refuses, as it was heard from a real one, and the option that is named for it."""

import dataclasses

import pytest

from lakehouse.config import load
from lakehouse.kafka.refusal import refused

HEARD = [
    (
        "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with "
        "SASL mechanism SCRAM-SHA-512 (after 310ms in state AUTH_REQ)",
        "sasl.password",
    ),
    (
        "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 301ms in state AUTH_REQ)",
        "sasl.password",
    ),
    (
        "sasl_ssl://b:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported "
        "mechanisms: PLAIN (after 1ms in state AUTH_HANDSHAKE)",
        "sasl.mechanism",
    ),
    (
        "sasl_plaintext://b:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Request not valid in current SASL state: "
        "broker's supported mechanisms:  (after 1ms in state AUTH_HANDSHAKE)",
        "security.protocol",
    ),
    (
        "sasl_ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could "
        "not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates "
        "package) (after 5ms in state SSL_HANDSHAKE)",
        "ssl.ca.location",
    ),
    (
        "sasl_ssl://b:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker "
        "listener? (after 3ms in state SSL_HANDSHAKE)",
        "security.protocol",
    ),
    (
        "ssl://b:1/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42 (after 1ms in "
        "state APIVERSION_QUERY)",
        "ssl.certificate.location",
    ),
    (
        "FAIL [rdkafka#producer-1] [thrd:b:1/bootstrap]: b:1/bootstrap: Disconnected: connection reset by peer (after 0ms in state "
        "APIVERSION_QUERY)",
        "security.protocol",
    ),
    ("Failed to acquire SASL OAUTHBEARER token: {\"s3cret\"}", "sasl.oauthbearer.client.secret"),
]  # fmt: skip
KAFKA = dataclasses.replace(
    load("dev", environ={}).kafka,
    bootstrap_servers="b:1",
    options={"sasl.mechanism": "PLAIN", "sasl.username": "shop", "sasl.password": "s3cret"},
)


@pytest.mark.parametrize(("told", "option"), HEARD)
def test_the_option_is_named_and_the_noise_left_out(told: str, option: str) -> None:
    found = refused(KAFKA, ["1/1 brokers are down", told])
    assert found is not None
    assert found.option == option
    assert found.is_final == option.startswith("sasl.")
    assert found.may_pass == ("Disconnected" in told)
    text = str(found)
    assert text.startswith(f"kafka.options.{option}: refused by b:1")
    assert text.endswith(f"Set STITCHLAKE__KAFKA__OPTIONS__{option.replace('.', '_').upper()}")
    for noise in ("s3cret", "error:0", "://", "thrd", "(after", "\n"):
        assert noise not in text


def test_what_a_broker_said_counts_before_a_connection_that_was_closed() -> None:
    closed, said = "b:1/bootstrap: Disconnected (after 0ms in state APIVERSION_QUERY)", HEARD[0][0]
    heard = ([closed], [closed, said], [said, closed])
    assert [found.may_pass for told in heard if (found := refused(KAFKA, told))] == [True, False, False]


def test_a_user_is_named_for_a_password() -> None:
    assert "for user 'shop'" in str(refused(KAFKA, [HEARD[0][0]]))


def test_tokens_that_are_refused_have_no_password() -> None:
    tokens = dataclasses.replace(KAFKA, options={"sasl.mechanism": "OAUTHBEARER"})
    found = refused(
        tokens,
        ['sasl_ssl://b:1/1: SASL authentication error: {"status":"invalid_token"} (after 1ms in state AUTH_REQ)'],
    )
    assert found is not None
    assert found.option == "sasl.oauthbearer.client.secret"


@pytest.mark.parametrize(
    "told", ["1/1 brokers are down", "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"]
)
def test_a_broker_that_is_away_has_not_refused(told: str) -> None:
    assert refused(KAFKA, [told]) is None

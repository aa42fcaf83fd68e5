import base64
import hmac
import json
from datetime import UTC, datetime

import pytest

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.private_addresses import refuse_private
from lakehouse.actions.webhook import WebhookSender
from lakehouse.errors import ActionError
from lakehouse.machine import free_port
from tests.lakehouse.actions.servers import http_server
from tests.lakehouse.decisions.circumstances import passed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sender(url: str, **changes: object) -> WebhookSender:
    one = Webhook.model_validate({"name": "x", "kind": "webhook", "url": url, "allow_private": True} | changes)
    return WebhookSender(one, timeout_seconds=0.3, clock=lambda: NOW)


def test_a_private_address_is_not_sent_a_byte_however_it_is_named() -> None:
    with http_server() as hook:
        port = hook.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
            one = sender(f"http://{host}:{port}")
            public = one._destination.model_copy(update={"allow_private": False})
            assert isinstance(
                WebhookSender(public, timeout_seconds=0.3, clock=lambda: NOW).send(passed({}), "k"), GiveUp
            ), host
        assert hook.calls == []
        assert sender(hook.url).send(passed({"a": 1}), "k") == Sent()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::", "ff02::1"),
    ],
)
def test_private_addresses(address: str) -> None:
    with pytest.raises(ActionError):
        refuse_private(address, "x")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses(address: str) -> None:
    refuse_private(address, "x")


def test_a_call_is_signed_over_the_bytes_that_arrive() -> None:
    with http_server() as hook:
        assert sender(hook.url, signing_secrets=[SECRET]).send(passed({"a": "ü"}), "d1:crm") == Sent()
        ((headers, body),) = hook.calls
        content = (
            f"d1:crm.{int(NOW.timestamp())}.".encode()
            + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        )
        expected = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), content, "sha256").digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
        assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("d1:crm", str(int(NOW.timestamp())))
        assert sender(hook.url).send(passed({}), "k") == Sent()
        assert "webhook-signature" not in hook.calls[1][0]


def test_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with http_server() as hook:
        assert sender(hook.url).send(passed({}), "k") == Sent()


def test_nobody_there_and_nobody_answering_are_tried_again() -> None:
    assert isinstance(sender(f"http://127.0.0.1:{free_port()}/").send(passed({}), "k"), Retry)
    with http_server() as hook:
        hook.gate.clear()
        found = sender(hook.url).send(passed({}), "k")
        assert isinstance(found, Retry)
        assert "127.0.0.1" not in found.reason


@pytest.mark.parametrize(
    ("header", "after"),
    [
        *(("7", 7.0), ("1e9", 3600.0), ("-5", 0.0), ("soon", None), ("nan", None), ("inf", 3600.0)),
        *(("Sun, 01 Mar 2026 12:01:30 GMT", 90.0), ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0)),
    ],
)
def test_it_waits_as_long_as_it_is_asked_within_reason(header: str, after: float | None) -> None:
    with http_server() as hook:
        hook.answers = [(503, {"Retry-After": header})]
        assert sender(hook.url).send(passed({}), "k") == Retry("status 503", after=after)


def test_headers_of_the_destination_go_along() -> None:
    with http_server() as hook:
        sender(hook.url, headers={"Authorization": "Bearer x"}).send(passed({}), "k")
        assert hook.calls[0][0]["Authorization"] == "Bearer x"

"""Bounces and complaints leave their people alone, by the same way as anybody who asks for it."""

import dataclasses
from collections.abc import Callable

import orjson
from fastapi.testclient import TestClient

from lakehouse.config import Config
from lakehouse.config.keys import make
from lakehouse.kafka import admin
from serving.service import Service
from tests.serving.api.test_suppressions import STOP, silence
from tests.serving.conftest import Start
from tests.serving.messages.test_sns_signature import URL, message, pem, signed
from tests.serving.topic_values import values

FEEDBACK = "/api/mail-feedback"


def test_a_bounce_is_a_suppression_in_kafka_and_here(serving_config: Config, start: Start) -> None:
    kafka = dataclasses.replace(serving_config.kafka, events_topic="feedback-heard")
    config = dataclasses.replace(serving_config, kafka=kafka)
    admin.create_topic(kafka, kafka.events_topic, 1)
    api, _ = start(config)
    report = {"events": [{"type": "bounce", "email": STOP["value"]}, {"type": "complaint", "email": "no address"}]}
    report["events"].append(
        {"type": "bounce", "email": f"{'x' * 200}{STOP['value']}"}
    )  # cut off, it would be another's
    assert api.post(FEEDBACK, json=report).json() == {"suppressed": 1, "ignored": 2}
    assert silence(api) == "suppressed"
    (sent,) = (orjson.loads(value) for value in values(kafka.bootstrap_servers, kafka.events_topic))
    assert (sent["type"], sent["context"]["externalIds"]) == ("suppress", [{"type": "email", "id": STOP["value"]}])


def test_it_needs_the_key_and_a_shape_that_is_known(door: Callable[..., tuple[TestClient, Service]]) -> None:
    text, key = make("mailer", ["suppress"])
    api, _ = door(keys=(key.declared,), is_open=False)
    assert api.post(FEEDBACK, json=[]).status_code == 401
    assert api.post(FEEDBACK, json=[], auth=(text, "")).json() == {
        "suppressed": 0,
        "ignored": 0,
    }  # as SES can be told to
    assert api.post(FEEDBACK, json={"a": 1}, auth=(text, "")).status_code == 422


def test_a_message_of_sns_is_taken_as_amazon_signs_it_and_no_other_address_is_called(
    door: Callable[..., tuple[TestClient, Service]],
) -> None:
    api, service = door(keys=())
    asked, now = list[str](), service.clock()

    def fetch(url: str) -> bytes:
        asked.append(url)
        return pem(at=now)

    service.sns_certificates._fetch = fetch
    subscription = signed(message("SubscriptionConfirmation", at=now))
    assert api.post(FEEDBACK, json=subscription).json() == {"suppressed": 0, "ignored": 0}
    report = signed(message(at=now, Message='{"notificationType": "Delivery"}'))
    assert api.post(FEEDBACK, json=report).json() == {"suppressed": 0, "ignored": 1}
    assert asked == [URL], "what is to be confirmed is the owner's"
    forged = report | {"Message": '{"notificationType": "Complaint"}'}
    assert api.post(FEEDBACK, json=forged).status_code == 422

    def away(_: str) -> bytes:
        raise OSError("away")

    service.sns_certificates._fetch = away
    other = report | {"SigningCertURL": URL.replace("eu-west-1", "eu-west-2")}
    assert api.post(FEEDBACK, json=other).status_code == 503


def test_without_a_broker_it_is_to_be_sent_again(serving_config: Config, start: Start) -> None:
    nobody = dataclasses.replace(serving_config.kafka, bootstrap_servers="127.0.0.1:1")
    api, _ = start(dataclasses.replace(serving_config, kafka=nobody), connected=False)
    report = [{"event": "spamreport", "email": STOP["value"]}]
    assert api.post(FEEDBACK, json=report).status_code == 503
    assert silence(api) == "suppressed"

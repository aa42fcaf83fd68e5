"""Who asked to be left alone is, here and now, after a reboot, and in the lake; and nobody says it for them by the page's key."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import Config
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import resolve
from lakehouse.events.reader import Reader
from lakehouse.kafka import admin
from lakehouse.online.engines import open_store, store_url
from tests.online_people import person, put
from tests.serving.conftest import Start, filled
from tests.serving.topic_values import values

STOP = {"type": "email", "value": "stop@example.com"}
DECIDE = "/api/decide"


def silence(api: Any, identifier: dict[str, str] = STOP) -> str | None:
    reason: str | None = api.post(DECIDE, json={"identifier": identifier}).json()["silent_because"]
    return reason


def told(api: Any, *, is_suppressed: bool = True, identifier: dict[str, str] = STOP) -> Any:
    return api.post("/api/suppressions", json={"identifier": identifier, "is_suppressed": is_suppressed})


def email(config: Config) -> Identifier:
    token = resolve("email", STOP["value"], config)
    assert token is not None
    return "email", token


def test_a_reboot_and_a_store_that_is_filled_anew_forget_nobody(
    serving_config: Config, start: Start, tmp_path: Path
) -> None:
    api, service = start(serving_config)
    assert told(api).json() == {"is_suppressed": True}
    assert silence(api) == "suppressed"
    api.__exit__(None, None, None)
    service.kept.close()
    shutil.rmtree(tmp_path / "online")
    filled(serving_config.online_store.url)
    again, _ = start(serving_config)
    assert silence(again) == "suppressed"
    assert told(again, is_suppressed=False).json() == {"is_suppressed": False}
    assert silence(again) != "suppressed"


def test_the_lake_hears_of_it_and_reads_the_same_identifier(serving_config: Config, start: Start) -> None:
    kafka = dataclasses.replace(serving_config.kafka, events_topic="suppressions-heard")
    config = dataclasses.replace(serving_config, kafka=kafka)
    admin.create_topic(kafka, kafka.events_topic, 1)
    api, _ = start(config)
    told(api)
    told(api, is_suppressed=False)
    sent = [orjson.loads(value) for value in values(config.kafka.bootstrap_servers, config.kafka.events_topic)]
    assert [message["type"] for message in sent] == ["suppress", "unsuppress"]
    assert [Reader(config).identifiers(message) for message in sent] == [[email(config)]] * 2


def test_a_person_is_found_by_every_identifier_and_freed_by_none_but_the_one_that_was_named(
    serving_config: Config, start: Start
) -> None:
    store = open_store(store_url(serving_config))
    put(store, person("p-ana", [("user_id", "ana"), email(serving_config)]))
    put(store, person("p-bo", [("user_id", "bo")], is_suppressed=True))  # as gold says
    store.close()
    api, _ = start(serving_config)
    told(api)
    ana, bo = ({"type": "user_id", "value": name} for name in ("ana", "bo"))
    assert silence(api, ana) == "suppressed"
    assert told(api, identifier=ana, is_suppressed=False).json() == {"is_suppressed": True}
    assert silence(api, ana) == "suppressed"
    assert silence(api, bo) == "suppressed"


def test_without_a_broker_it_holds_here_and_is_to_be_sent_again(serving_config: Config, start: Start) -> None:
    nobody = dataclasses.replace(serving_config.kafka, bootstrap_servers="127.0.0.1:1")
    api, _ = start(dataclasses.replace(serving_config, kafka=nobody), connected=False)
    answer = told(api)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert silence(api) == "suppressed"


@pytest.mark.parametrize(
    ("type_", "value", "place"),
    [
        ("e-mail", "stop@example.com", "identifier.type: got 'e-mail', expected one of anonymous_id"),
        ("Email", "stop@example.com", "identifier.type: got 'Email'"),
        ("email", "stop", "identifier.value: no email of somebody"),
        ("phone", "0170 2345670", "identifier.value: no phone of somebody"),
        ("user_id", "undefined", "identifier.value: no user_id of somebody"),
    ],
)
def test_whoever_cannot_be_known_by_it_is_not_told_that_all_is_well(
    door: Callable[..., Any], type_: str, value: str, place: str
) -> None:
    answer = told(door()[0], identifier={"type": type_, "value": value})
    assert (answer.status_code, place in answer.json()["detail"]) == (404, True), answer.text


@pytest.mark.parametrize("type_", ["suppress", " unsuppress "])
def test_a_page_cannot_say_it_for_anybody(serving_config: Config, start: Start, type_: str) -> None:
    api, _ = start(serving_config)
    batch = {"batch": [{"type": type_, "userId": "ana"}, {"type": "track", "event": "View", "userId": "ana"}]}
    answer = api.post("/v1/batch", json=batch, auth=("dev", "")).json()
    assert answer["acknowledged"] == 1
    assert answer["refused"][0]["index"] == 0
    event = {"type": type_, "event": "x"}
    assert api.post(DECIDE, json={"identifier": STOP, "events": [event]}).status_code == 422

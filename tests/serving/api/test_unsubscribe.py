"""Whoever got a letter asks for no more, with nothing but the link; and nobody else asks for them."""

import dataclasses

from fastapi.testclient import TestClient

from lakehouse.actions.unsubscribe_links import links_of
from lakehouse.config import Config
from lakehouse.config.keys import make
from tests.serving.api.test_suppressions import STOP, silence
from tests.serving.conftest import Start

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def path_of(config: Config) -> str:
    links = links_of(config, is_private=True)
    assert links is not None
    return "/unsubscribe/" + links.url(STOP["value"]).rpartition("/")[2]


def test_one_click_needs_no_key_and_a_program_that_only_looks_changes_nothing(
    serving_config: Config, start: Start
) -> None:
    text, made = make("shop", ["decide"])
    closed = dataclasses.replace(serving_config.serving, keys=(made.declared,), is_open=False)
    config = dataclasses.replace(serving_config, serving=closed)
    api, service = start(config)
    key = {"authorization": f"Bearer {text}"}
    path = path_of(config)

    def silent(api: TestClient) -> str | None:
        reason: str | None = api.post("/api/decide", json={"identifier": STOP}, headers=key).json()["silent_because"]
        return reason

    for method in ("GET", "HEAD", "GET"):
        api.request(method, path)
    page = api.get(path)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert '<form method="post">' in page.text
    assert STOP["value"] not in page.text
    assert silent(api) != "suppressed"
    before = service.counters.events
    # A browser's form says Origin: null where the page forbids it a referrer, and the door refuses that.
    assert page.headers["referrer-policy"] == "same-origin"
    for headers in ({}, {"origin": "http://127.0.0.1:8080"}):
        assert api.post(path, data=ONE_CLICK, headers=headers).status_code == 200
        assert silent(api) == "suppressed"
    assert service.counters.events == before


def test_a_link_that_is_none_suppresses_nobody(serving_config: Config, start: Start) -> None:
    api, _ = start(serving_config)
    path = path_of(serving_config)
    for wrong in (path[:-4], path[:-9] + "AAAA" + path[-5:], "/unsubscribe/x", "/unsubscribe/%00"):
        assert api.get(wrong).status_code == 404
        assert api.post(wrong, data=ONE_CLICK).status_code == 404
    assert silence(api) != "suppressed"


def test_what_kafka_does_not_take_is_not_promised(serving_config: Config, start: Start) -> None:
    nobody = dataclasses.replace(serving_config.kafka, bootstrap_servers="127.0.0.1:1")
    api, _ = start(dataclasses.replace(serving_config, kafka=nobody), connected=False)
    answer = api.post(path_of(serving_config), data=ONE_CLICK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert silence(api) == "suppressed"  # here at once

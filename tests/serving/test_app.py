"""The API as its callers see it: answers by their documented models, bad input told and never a 500."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.config import Config
from serving.deciding.request_context import vocabulary_of
from serving.messages.answer_models import (
    DecisionAnswer,
    ExposureAnswer,
    OutcomeAnswer,
    ProfileAnswer,
    RecommendationAnswer,
)
from tests.serving.conftest import Start

RECOMMEND, DECIDE = "/api/personalized-recommendations", "/api/decide"
DEV = {"auth": ("dev", "")}


def post(api: TestClient, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_somebody_unknown_gets_what_everybody_likes_and_it_is_no_failure(api: TestClient) -> None:
    answer = RecommendationAnswer.model_validate(post(api, RECOMMEND, {"customer_id": "nobody-yet", "count": 5}))
    assert (len(answer.items), answer.degraded, answer.profile_id) == (5, False, None)
    assert [item.rank for item in answer.items] == [1, 2, 3, 4, 5]
    assert {item.reason for item in answer.items} <= {"popular", "new_arrival"}


def test_a_decision_explains_every_step(api: TestClient) -> None:
    answer = DecisionAnswer.model_validate(post(api, DECIDE, {"customer_id": "u-1", "explain": True}))
    assert answer.action == answer.offers[0].name
    assert answer.offers[0].propensity is not None
    assert 0 < answer.offers[0].propensity <= 1
    assert {"eligibility", "bandit", "arbitration"} <= {step.step for step in answer.explain or []}
    assert DecisionAnswer.model_validate(post(api, DECIDE, {"customer_id": "u-1"})).explain is None


def test_the_same_request_id_is_the_same_decision(api: TestClient) -> None:
    first, second = (post(api, DECIDE, {"customer_id": "u-1", "request_id": "r-1"}) for _ in range(2))
    other = post(api, DECIDE, {"customer_id": "u-1"})
    assert first["decision_id"] == second["decision_id"] != other["decision_id"]
    assert first["action"] == second["action"]  # the draw belongs to the decision


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "expected one of the two"),
        ({"customer_id": "a", "identifier": {"type": "email", "value": "b"}}, "got both"),
        ({"customer_id": 7.5}, "customer_id"),
        ({"customer_id": True}, "customer_id"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "x" * 201}, "customer_id"),
        ({"customer_id": "a", "contxt": {}}, "did you mean 'context'?"),
        ({"customer_id": "a", "context": {"price": "cheap"}}, "context.price"),
        ({"customer_id": "a", "context": {"price": True}}, "context.price: Value error, got true, expected a number"),
        ({"customer_id": "a", "context": {"channel": "pigeon"}}, "context.channel"),
        ({"customer_id": "a", "events": [{"type": "track"}]}, "track event needs its name"),
        ({"customer_id": "a", "events": [{"event": "x"}] * 21}, "events"),
        ({"customer_id": "a", "events": [{"event": "x", "properties": {"p": "y" * 40_000}}]}, "at most 32768"),
        ([1, 2], "body"),
        ("text", "body"),
    ],
)
def test_a_bad_request_is_told_where_and_why(api: TestClient, body: Any, told: str) -> None:
    for path in (RECOMMEND, DECIDE):
        assert told in post(api, path, body, 422)["detail"]


def test_no_json_deep_json_and_too_much_json_are_refused(api: TestClient) -> None:
    assert "JSON" in api.post(DECIDE, content=b"{nope").json()["detail"]
    deep = b'{"customer_id":"a","context":{"x":' + b"[" * 900 + b"]" * 900 + b"}}"
    assert "levels of nesting" in api.post(DECIDE, content=deep).json()["detail"]
    assert api.post(DECIDE, content=b"x" * 10_000_000).status_code == 413
    streamed = api.post(DECIDE, content=iter([b"x" * 100_000] * 6))
    assert streamed.status_code == 413


HOSTILE = (
    "' OR 1=1 --",
    "{{7*7}}",
    "<script>",
    "../../etc/passwd",
    "\u0000",
    "\U0001f600" * 40,
    "${jndi:x}",
    "%s%n",
    "Ω" * 60,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(api: TestClient, text: str) -> None:
    context = {"page_type": text, "device": text, "product_id": text, "category": text, "extra": text}
    event = {"event": text, "properties": {"product_id": text, "category": text}}
    for path in (RECOMMEND, DECIDE):
        post(api, path, {"identifier": {"type": "anonymous_id", "value": text}, "context": context, "events": [event]})
    assert api.get(f"/api/profiles/anonymous_id/{text.encode().hex()}").status_code == 200
    assert post(api, "/api/outcomes", {"decision_id": text}, 404)["detail"].startswith("decision_id: no decision")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["customer_id", "identifier", "segment", "context", "events", "decision_id", "value", "count"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(body=JSON | st.dictionaries(FIELDS, JSON, max_size=5))
def test_nothing_a_client_sends_is_a_500(api: TestClient, body: Any) -> None:
    for path in (RECOMMEND, DECIDE, "/api/exposures", "/api/outcomes", "/api/products", "/api/suppressions"):
        assert api.post(path, content=json.dumps(body)).status_code in (200, 404, 422)
    assert api.post("/v1/track", content=json.dumps(body), **DEV).status_code in (200, 400, 401)  # type: ignore[arg-type]


def test_outcomes_and_exposures_count_once_also_when_they_come_twice_or_late(api: TestClient) -> None:
    decision_id = post(api, DECIDE, {"customer_id": "u-2"})["decision_id"]
    exposure = {"decision_id": decision_id}
    assert ExposureAnswer.model_validate(post(api, "/api/exposures", exposure)).logged
    assert ExposureAnswer.model_validate(post(api, "/api/exposures", exposure)).duplicate
    outcome = {"decision_id": decision_id, "metric": "converted", "value": 1}
    assert OutcomeAnswer.model_validate(post(api, "/api/outcomes", outcome)).recorded
    again = OutcomeAnswer.model_validate(post(api, "/api/outcomes", outcome))
    assert (again.recorded, again.duplicate) == (False, True)
    assert post(api, "/api/outcomes", {**outcome, "metric": "revenue", "value": 40})["recorded"]
    endless = json.dumps(outcome).replace('"value": 1', '"value": 1e400')
    assert api.post("/api/outcomes", content=endless).json()["detail"].startswith("value")


def test_the_collector_takes_segments_calls_and_tells_what_is_none(api: TestClient) -> None:
    event = {"userId": "u-3", "event": "Product Viewed", "properties": {"product_id": "p-00001"}}
    assert api.post("/v1/track", json=event, **DEV).json() == {"success": True, "acknowledged": 1}  # type: ignore[arg-type]
    assert api.post("/v1/track", json={**event, "writeKey": "dev"}).status_code == 200
    assert api.post("/v1/track", json=event).status_code == 401
    assert api.post("/v1/track", json=event, auth=("other", "")).status_code == 401
    assert api.post("/v1/nothing", json=event, **DEV).status_code == 404  # type: ignore[arg-type]
    batch: Mapping[str, Any] = {
        "batch": [{"type": "track", **event}, {"type": "page", "userId": "u-3", "name": "Home"}]
    }
    assert api.post("/v1/batch", json=batch, **DEV).json()["acknowledged"] == 2  # type: ignore[arg-type]
    for bad, told in (
        ({"batch": [3]}, "batch[0]: event: got int"),
        ({"batch": {}}, "batch: missing"),
        ({"batch": [{"type": "track"}] * 2501}, "at most 2500"),
        ({"batch": [{"type": "track", "x": "y" * 40_000}]}, "batch[0]: event: got"),
    ):
        answer = api.post("/v1/batch", json=bad, **DEV)  # type: ignore[arg-type]
        assert (answer.status_code, told in answer.json()["detail"]) == (400, True), answer.text


def test_a_library_of_segments_finds_what_it_needs_and_where(api: TestClient) -> None:
    segment = api.get("/v1/projects/dev/settings").json()["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == ("dev", "127.0.0.1:8080/v1", "http")
    assert api.get("/v1/projects/other/settings").status_code == 401
    metrics = api.post("/v1/m", content=b'{"series":[]}')
    assert (metrics.status_code, metrics.json()["acknowledged"]) == (200, 0)
    assert "not kept" in metrics.json()["note"]


def test_behind_a_proxy_libraries_are_pointed_at_the_public_address(serving_config: Config, start: Start) -> None:
    serving = dataclasses.replace(serving_config.serving, public_url="https://events.example.com/cdp/")
    api, _ = start(dataclasses.replace(serving_config, serving=serving))
    segment = api.get("/v1/projects/dev/settings").json()["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"]) == ("events.example.com/cdp/v1", "https")


def test_a_library_of_rudderstacks_finds_what_it_needs(api: TestClient) -> None:
    for path in ("/sourceConfig", "/sourceConfig/?p=web&v=3", "/sourceConfig?writeKey=dev"):
        source = api.get(path, **DEV).json()["source"]  # type: ignore[arg-type]
        assert (source["enabled"], source["destinations"]) == (True, [])
    assert api.get("/sourceConfig").status_code == 401
    batch = {"batch": [{"type": "track", "userId": "u-3", "event": "x"}]}
    assert api.post("/beacon/v1/batch?writeKey=dev", json=batch).json()["acknowledged"] == 1
    assert api.post("/beacon/v1/batch?writeKey=other", json=batch).status_code == 401


OPENED = {"writeKey": "dev", "userId": "u-7", "event": "Product Viewed", "properties": {"product_id": "kit-007"}}
PIXELS = {
    "base64": {"data": base64.b64encode(json.dumps(OPENED).encode()).decode()},
    "of an address": {
        "data": base64.urlsafe_b64encode(json.dumps(OPENED | {"name": "?>"}).encode()).decode().rstrip("=")
    },
    "plain": {"data": json.dumps(OPENED)},
    "spread": {"writeKey": "dev", "userId": "u-7", "event": "Product Viewed", "properties.product_id": "kit-007"},
}


@pytest.mark.parametrize("parameters", PIXELS.values(), ids=PIXELS)
@pytest.mark.parametrize("path", ["/v1/pixel/track", "/pixel/v1/track"])
def test_a_mail_that_is_opened_counts_by_its_image(api: TestClient, path: str, parameters: dict[str, str]) -> None:
    image = api.get(path, params=parameters)
    assert (image.status_code, image.headers["content-type"], image.content[:6]) == (200, "image/gif", b"GIF89a")
    recent = api.get("/api/profiles/user_id/u-7").json()["recent"]
    assert recent["viewed_24h"] == ["kit-007"]


def test_an_image_is_no_success_where_nothing_was_taken(api: TestClient) -> None:
    for path, status in (
        ("/v1/pixel/track?data=bm9wZQ", 400),
        ("/v1/pixel/track?data={", 400),
        ("/v1/pixel/track?userId=u&writeKey=other", 401),
        ("/v1/pixel/nothing?writeKey=dev", 404),
    ):
        image = api.get(path)
        assert (image.status_code, image.content[:6]) == (status, b"GIF89a")


def test_the_profile_of_somebody_just_seen_holds_what_they_did(api: TestClient) -> None:
    event = {"anonymousId": "a-4", "event": "Product Viewed", "properties": {"product_id": "p-00004"}}
    api.post("/v1/track", json=event, **DEV)  # type: ignore[arg-type]
    answer = api.get("/api/profiles/anonymous_id/a-4")
    found = ProfileAnswer.model_validate(answer.json())
    assert found.recent["viewed_24h"] == ["p-00004"]
    assert (
        api.get("/api/profiles/anonymous_id/a-4", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    )
    assert api.get("/api/profiles/no_such_type/x").json()["profile_id"] is None


def test_the_page_documents_every_route_with_an_example(api: TestClient) -> None:
    page = api.get("/openapi.json").json()
    for path in (RECOMMEND, DECIDE, "/api/exposures", "/api/outcomes", "/api/products", "/api/suppressions"):
        body = page["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert page["components"]["schemas"][body.rsplit("/", 1)[1]]["examples"]
    for path in (RECOMMEND, DECIDE):
        schema = page["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        example = page["components"]["schemas"][schema.rsplit("/", 1)[1]]["examples"][0]
        assert api.post(path, json=example).status_code == 200
    assert "Stitchlake" in api.get("/").text
    assert api.get("/api/status").json()["kafka"] == "connected"


def test_a_product_named_by_a_number_is_known_to_rules_of_the_request() -> None:
    event = {"type": "track", "event": "Product Viewed", "properties": {"product_id": 7358220173425}}
    assert vocabulary_of(event)["product_id"] == "7358220173425"

"""OWASP's ten of APIs (https://owasp.org/API-Security/editions/2023/en/0x11-t10/), item by item: what of it could befall this service.

Most of it is held elsewhere, where the part is tested; HELD names those tests, and here is what belongs to no part, or was never asked.
"""

import ast
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lakehouse.config import PROJECT
from serving.api.scopes import OPEN, SCOPES
from serving.messages.request_models import DecisionRequest, OutcomeRequest, SuppressionRequest
from serving.service import Service
from serving.workers import _SAFE_HEADERS
from tests.serving.api.test_access_control import CLOSED, WS, bearer, closed_to_all_but_tokens
from tests.serving.provider_tokens import signed
from tests.serving.state.test_tokens import OTHER, OWN, stolen_header, unsigned

Door = Callable[..., tuple[TestClient, Service]]
SERVING = "tests/serving"
HELD = {
    "API1 object": [
        f"{SERVING}/api/test_access_control.py::test_a_page_listens_with_a_token_for_one_visitor_and_not_without",
        f"{SERVING}/api/test_unsubscribe.py::test_a_link_that_is_none_suppresses_nobody",
    ],
    "API2 authentication": [
        f"{SERVING}/state/test_tokens.py::test_a_token_that_is_none_opens_nothing_and_is_not_repeated",
        f"{SERVING}/state/test_tokens.py::test_a_key_that_is_gone_opens_nothing_though_its_token_was_believed",
        f"{SERVING}/api/test_access_control.py::test_a_key_that_was_taken_back_opens_nothing_while_its_successor_does",
    ],
    "API3 property": [f"{SERVING}/test_app.py::test_a_bad_request_is_told_where_and_why"],
    "API4 resources": [
        f"{SERVING}/test_workers.py::test_what_is_no_body_and_does_not_end_is_not_kept",
        f"{SERVING}/test_workers.py::test_a_request_that_does_not_come_holds_no_connection",
        f"{SERVING}/test_hostile.py::test_a_hundred_thousand_keys_that_are_none_leave_nothing_behind",
        f"{SERVING}/test_hostile.py::test_as_many_names_as_a_body_has_room_for_are_told_in_time",
        f"{SERVING}/state/test_rates.py::test_callers_do_not_share_and_are_not_remembered_without_end",
        f"{SERVING}/api/test_access_control.py::test_who_comes_too_often_is_told_when_to_come_again",
    ],
    "API5 function": [
        f"{SERVING}/api/test_access_control.py::test_a_role_opens_its_routes_and_no_other",
        f"{SERVING}/test_hostile.py::test_to_each_role_the_page_is_true_and_no_route_is_open_that_the_table_does_not_open",
    ],
    "API6 business flows": [
        f"{SERVING}/test_app.py::test_outcomes_and_exposures_count_once_also_when_they_come_twice_or_late"
    ],
    "API7 forgery": [
        f"{SERVING}/messages/test_sns_signature.py::test_a_certificate_from_elsewhere_is_never_fetched",
        f"{SERVING}/state/test_provider_keys.py::test_whatever_the_provider_answers_is_told_and_ends_nothing",
        "tests/lakehouse/actions/test_webhook.py::test_a_private_address_is_not_sent_a_byte_however_it_is_named",
    ],
    "API8 configuration": [
        f"{SERVING}/test_main.py::test_it_listens_to_the_world_only_by_keys_and_tls",
        f"{SERVING}/api/test_cross_origin.py::test_who_may_call_what",
        f"{SERVING}/api/test_hosts.py::test_who_asks_by_a_name_that_is_not_ours_is_refused",
    ],
    "API9 inventory": [
        f"{SERVING}/api/test_access_control.py::test_every_route_is_in_the_table_and_the_table_has_no_other",
        f"{SERVING}/api/test_access_control.py::test_a_route_that_is_not_in_the_table_lets_nothing_start",
    ],
    "API10 consumption": [
        f"{SERVING}/state/test_provider_keys.py::test_one_odd_key_costs_nobody_the_others_and_is_none",
        f"{SERVING}/state/test_provider_keys.py::test_who_never_ends_is_not_listened_to_without_end",
        "tests/lakehouse/actions/test_webhook.py::test_it_waits_as_long_as_it_is_asked_within_reason",
    ],
}


@pytest.mark.parametrize("item", HELD)
def test_what_holds_an_item_is_there(item: str) -> None:
    for named in HELD[item]:
        path, _, name = named.partition("::")
        tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, named


def test_1_a_token_for_one_visitor_opens_nothing_else(door: Door) -> None:
    client, service = door(**CLOSED)
    ask = {"identifier": {"type": "email", "value": "kim@example.com"}, "seconds": 60}
    token = client.post("/api/page-tokens", json=ask, headers=bearer("decide")).json()["token"]
    for path in ("/api/profiles/email/kim@example.com", "/api/status", "/api/changes"):
        for sent in ({"headers": {"authorization": f"Bearer {token}"}}, {"params": {"token": token}}):
            assert client.get(path, **sent).status_code == 401  # type: ignore[arg-type]
    with client.websocket_connect(f"{WS}?token={token}&identifier_type=email&value=lee@example.com"):
        assert len(service.sockets._by_key) == 1
        assert not service.sockets.listeners([":".join(service.visitors.identifier("email", "lee@example.com") or ())])


@pytest.mark.parametrize(
    "made",
    [unsigned, stolen_header, lambda: signed(OTHER, key_id="../one"), lambda: signed(OTHER), lambda: signed(aud="x")],
    ids=["none", "public key as a secret", "id as a path", "another key", "another audience"],
)
def test_2_no_made_up_token_opens_any_route(door: Door, tmp_path: Path, made: Callable[[], str]) -> None:
    client = closed_to_all_but_tokens(door, tmp_path)
    headers = {"authorization": f"Bearer {made()}"}
    for path in ("/api/status", "/metrics", "/api/profiles/email/x", "/sourceConfig"):
        assert client.get(path, headers=headers).status_code == 401
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{WS}?session_id=s", headers=headers):
        pass


@pytest.mark.parametrize("more", [{"profile_id": "p"}, {"is_admin": True}, {"decided_at": "2026-01-01T00:00:00Z"}])
@pytest.mark.parametrize("path", ["/api/decide", "/api/suppressions", "/api/outcomes"])
def test_3_nobody_sets_what_is_not_theirs_to_set(door: Door, path: str, more: dict[str, object]) -> None:
    models = {"/api/decide": DecisionRequest, "/api/suppressions": SuppressionRequest, "/api/outcomes": OutcomeRequest}
    whole = models[path].model_json_schema()["examples"][0] | more
    assert door()[0].post(path, json=whole).status_code == 422


def test_3_a_sender_of_events_says_neither_when_they_came_nor_what_is_ours_to_say(door: Door) -> None:
    client, service = door()
    for type_ in ("suppress", "unsuppress"):
        answer = client.post("/v1/batch", json={"batch": [{"type": type_, "userId": "u"}], "writeKey": "dev"})
        assert answer.status_code == 400
    assert service.counters.events == 0


def test_4_what_unpacks_to_more_than_it_may_is_refused_however_it_is_packed(door: Door) -> None:
    client, _ = door()
    bomb = gzip.compress(b" " * 50_000_000)
    twice = gzip.compress(bomb)
    for path in ("/v1/batch", "/beacon/v1/batch", "/api/decide", "/webhooks/till", "/api/mail-feedback"):
        for body, coding in ((bomb, "gzip"), (twice, "gzip, gzip"), (bomb, "x-gzip")):
            answer = client.post(path, content=body, headers={"content-encoding": coding})
            assert answer.status_code == 413, path
    assert client.post("/v1/batch", content=bomb).status_code == 413  # without saying so


def test_5_no_other_spelling_of_a_route_or_method_opens_it(door: Door) -> None:
    client, _ = door(**CLOSED)
    key = bearer("ingest")
    for path in ("/api/status", "/metrics", "/api/products", "/api/profiles/email/x"):
        for spelt in (
            path,
            f"/{path}",
            f"{path}/",
            path.upper(),
            f"/v1/..{path}",
            f"/stitchlake.js/..{path}",
            f"{path};a",
        ):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"):
                override = {"x-http-method-override": "GET", "x-original-url": path, "x-rewrite-url": path}
                status = client.request(method, f"http://127.0.0.1:8080{spelt}", headers=key | override).status_code
                assert status in (401, 403, 404, 405, 307), (method, spelt, status)


def test_6_a_caller_who_tries_decisions_one_after_the_other_is_slowed_down(door: Door) -> None:
    client, _ = door(**CLOSED, key_per_second=1.0)
    body = {"customer_id": "u"}
    answers = [client.post("/api/decide", json=body, headers=bearer("decide")) for _ in range(20)]
    assert [answer.status_code for answer in answers].count(429) >= 15
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
    guesses = [
        client.post("/api/outcomes", json={"decision_id": f"{n:032x}", "metric": "converted"}, headers=bearer("decide"))
        for n in range(3)
    ]
    assert {answer.status_code for answer in guesses} <= {404, 429}


def test_7_no_address_in_a_request_is_called(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one in a token's head, nor one in a report, nor one in an event."""
    client = closed_to_all_but_tokens(door, tmp_path)
    called: list[str] = []
    monkeypatch.setattr("requests.sessions.Session.request", lambda *given, **_: called.append(given[2]))
    here = "http://169.254.169.254/latest/meta-data"
    heads = {"kid": "evil", "jku": here, "x5u": here, "jwk": OWN}
    token = jwt.encode({"sub": "a"}, OTHER, "ES256", headers=heads)
    assert client.get("/api/status", headers={"authorization": f"Bearer {token}"}).status_code == 401
    officer = {"authorization": f"Bearer {signed(roles=['privacy_officer', 'ingest'])}"}
    report = {
        "Type": "Notification",
        "TopicArn": "t",
        "SignatureVersion": "2",
        "SigningCertURL": here,
        "SubscribeURL": here,
    }
    assert client.post("/api/mail-feedback", content=json.dumps(report), headers=officer).status_code == 422
    client.post("/v1/track", json={"event": "e", "properties": {"url": here}}, headers=officer)
    assert called == []


def test_8_no_answer_is_kept_by_a_cache_or_shown_in_a_frame_and_no_error_tells_of_the_inside(door: Door) -> None:
    client, service = door(**CLOSED)
    assert {name for name, _ in _SAFE_HEADERS} == {"x-content-type-options", "referrer-policy", "x-frame-options"}
    for scope, path in (("admin", "/api/status"), ("admin", "/metrics"), ("ingest", "/sourceConfig")):
        assert client.get(path, headers=bearer(scope)).headers["cache-control"] == "no-store"
        assert client.get(path).headers["cache-control"] == "no-store"
    secret = next(iter(CLOSED["keys"])).rpartition(":")[2]
    for answer in (client.get("/nothing"), client.post("/v1/batch", content=b"{"), client.get("/api/status")):
        for inside in ("Traceback", ".py", secret, str(service.config.lake.root), "site-packages"):
            assert inside not in answer.text


def test_9_every_route_is_in_the_page_but_those_that_are_no_api(door: Door) -> None:
    page = door()[0].get("/openapi.json").json()["paths"]
    hidden = {path for path in SCOPES if path.replace(":path}", "}") not in page}
    assert hidden == {
        "/",
        "/docs",
        "/docs/swagger-ui.css",
        "/docs/swagger-ui.js",
        "/openapi.json",
        "/ws",
        "/pixel/v1/{call}",
    }
    for path, operations in page.items():
        scope = next(asked for route, asked in SCOPES.items() if route.replace(":path}", "}") == path)
        for operation in operations.values():
            assert operation.get("x-scope", OPEN) in (scope, OPEN)
            assert ("security" in operation) == ("x-scope" in operation)

"""The front door: what each route asks for, who is refused and with what."""

import base64
import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from lakehouse.config.keys import ROLES, make
from lakehouse.config.keys import SCOPES as KEY_SCOPES
from lakehouse.config.sections import OauthConfig
from lakehouse.lake.audit import rows_of
from lakehouse.lake.lock import open_lake
from serving.api.access_control import caller_at, guard
from serving.api.scopes import LINK, OPEN, SCOPES, SIGNED
from serving.background.read_log import take_over
from serving.service import Service
from serving.state.profile_reads import reads_folder
from tests.serving.provider_tokens import AUDIENCE, ISSUER, PRIVATE, jwks, signed

Door = Callable[..., tuple[TestClient, Service]]
KEYS = {scope: make(scope, [scope]) for scope in KEY_SCOPES}
CLOSED: dict[str, Any] = {"keys": tuple(key.declared for _, key in KEYS.values()), "is_open": False}
WS = "ws://127.0.0.1:8080/ws"
ENDLESS = "/api/changes"  # answers without end


def routes(client: TestClient) -> list[Route | WebSocketRoute]:
    app: Any = client.app
    while not isinstance(app, FastAPI):
        app = app._app
    return list(app.routes)


def bearer(scope: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[scope][0]}"}


def calls(client: TestClient) -> list[tuple[str, str, str]]:
    """Method, address and scope of every HTTP route that asks for a key."""
    return [
        (method, re.sub(r"\{.*?\}", "track", route.path), SCOPES[route.path])
        for route in routes(client)
        if isinstance(route, Route) and SCOPES[route.path] not in (OPEN, LINK, SIGNED)
        for method in route.methods or ()
    ]


def test_every_route_is_in_the_table_and_the_table_has_no_other(door: Door) -> None:
    assert {route.path for route in routes(door()[0])} == set(SCOPES)


def test_a_route_that_is_not_in_the_table_lets_nothing_start(door: Door) -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/new")(lambda: None)
    with pytest.raises(KeyError, match="/new"):
        guard(app.routes, door()[1], {})


def test_without_a_key_nothing_is_done_and_with_anothers_neither(door: Door) -> None:
    client, _ = door(**CLOSED)
    body = {"content": b'{"batch":[{}]}'}
    for method, path, scope in calls(client):
        sent = body if method == "POST" else {}
        named = f"{method} {path}"
        assert client.request(method, path, **sent).status_code == 401, named
        assert client.request(method, path, headers={"authorization": "Bearer x"}, **sent).status_code == 401, named
        for other in KEY_SCOPES:
            if "projects" in path or (other == scope and path == ENDLESS):
                continue  # the key is in the address; or the answer has no end
            answered = client.request(method, path, headers=bearer(other), **sent).status_code
            assert (answered in (401, 403)) == (other != scope), f"{named} with {other}: {answered}"


def closed_to_all_but_tokens(door: Door, folder: Path) -> TestClient:
    """A service that takes tokens of tests/serving/provider_tokens.py, and one key of nobody's."""
    (folder / "keys.json").write_bytes(jwks(one=PRIVATE))
    oauth = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks=str(folder / "keys.json"), algorithms=("ES256",))
    return door(**CLOSED, oauth=oauth)[0]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_routes_and_no_other(door: Door, tmp_path: Path, role: str) -> None:
    client = closed_to_all_but_tokens(door, tmp_path)
    headers = {"authorization": f"Bearer {signed(roles=[role])}"}
    for method, path, scope in calls(client):
        may = scope in ROLES[role]
        if "projects" in path or (may and path == ENDLESS):
            continue  # the key is in the address; or the answer has no end
        sent = {"content": b'{"batch":[{}]}'} if method == "POST" else {}
        answered = client.request(method, path, headers=headers, **sent).status_code  # type: ignore[arg-type]
        assert (answered == 403) != may, f"{method} {path} as {role}: {answered}"
        assert answered != 401, f"{method} {path} as {role}"


def test_a_token_that_opens_nothing_is_told_why_and_keys_still_open(door: Door, tmp_path: Path) -> None:
    client = closed_to_all_but_tokens(door, tmp_path)
    answer = client.get("/api/status", headers={"authorization": f"Bearer {signed(aud='other')}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["detail"].startswith("authorization: token: is for another service")
    event = {"anonymousId": "a", "event": "e", "writeKey": signed(roles=["analyst"])}
    assert client.post("/v1/track", json=event).status_code == 403
    assert client.get("/api/status", headers=bearer("admin")).status_code == 200
    without = door(**CLOSED)[0]
    assert without.get("/api/status", headers={"authorization": f"Bearer {signed()}"}).status_code == 401


def test_while_the_provider_cannot_be_asked_a_token_may_come_again_and_a_key_opens(door: Door, tmp_path: Path) -> None:
    oauth = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks=str(tmp_path / "gone.json"), algorithms=("ES256",))
    client = door(**CLOSED, oauth=oauth)[0]
    token = {"authorization": f"Bearer {signed(roles=['admin', 'ingest'])}"}
    for answer in (
        client.get("/api/status", headers=token),
        client.post("/v1/track", json={"event": "e"}, headers=token),
        client.get("/v1/pixel/track?event=e", headers=token),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert client.get("/api/status", headers=bearer("admin")).status_code == 200
    (tmp_path / "gone.json").write_bytes(jwks(one=PRIVATE))
    back = door(**CLOSED, oauth=oauth)[0]
    assert back.get("/api/status", headers=token).status_code == 200


def test_a_token_is_counted_as_its_holder(door: Door, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(one=PRIVATE))
    oauth = OauthConfig(issuer=ISSUER, audience=AUDIENCE, jwks=str(tmp_path / "keys.json"), algorithms=("ES256",))
    client, _ = door(**CLOSED, oauth=oauth, key_per_second=0.5)

    def answered(**changes: str) -> int:
        token = signed(roles=["admin"], **changes)
        return client.get("/api/status", headers={"authorization": f"Bearer {token}"}).status_code

    assert [answered(sub="a", jti="1"), answered(sub="a", jti="2"), answered(sub="b")] == [200, 429, 200]


def test_a_key_that_was_taken_back_opens_nothing_while_its_successor_does(door: Door) -> None:
    (old, old_key), (new, new_key) = make("ops", ["admin"]), make("ops-2", ["admin"])

    def answered(*keys: str) -> list[int]:
        client = door(keys=keys, is_open=False)[0]
        headers = ({"authorization": f"Bearer {text}"} for text in (old, new))
        return [client.get("/api/status", headers=each).status_code for each in headers]

    assert answered(old_key.declared, new_key.declared) == [200, 200]
    assert answered(new_key.declared) == [401, 200]


def test_a_key_may_come_as_basic_user_and_never_in_the_address(door: Door) -> None:
    client, _ = door(**CLOSED)
    text = KEYS["admin"][0]
    basic = base64.b64encode(f"{text}:".encode()).decode()
    assert client.get("/api/status", headers={"authorization": f"Basic {basic}"}).status_code == 200
    for spelt in (f"basic {basic}", f"Basic  {basic} ", f"Basic {basic.rstrip('=')}"):
        assert client.get("/api/status", headers={"authorization": spelt}).status_code == 200, spelt
    assert client.get(f"/api/status?key={text}").status_code == 401
    assert client.get("/api/status", headers={"authorization": "Basic nope"}).status_code == 401


def test_in_dev_all_but_the_collector_is_open_and_that_has_the_key_dev(door: Door) -> None:
    client, _ = door()
    assert client.get("/api/status").status_code == 200
    assert client.post("/api/decide", json={"customer_id": "u"}).status_code == 200
    assert client.get("/sourceConfig").status_code == 401
    assert client.get("/sourceConfig", auth=("dev", "")).status_code == 200


def test_a_page_listens_with_a_token_for_one_visitor_and_not_without(door: Door) -> None:
    client, service = door(**CLOSED)
    ask = {"session_id": "s-1", "seconds": 60}
    token = client.post("/api/page-tokens", json=ask, headers=bearer("decide")).json()["token"]
    with client.websocket_connect(f"{WS}?token={token}&session_id=s-2"):
        assert service.sockets.listeners(["session:s-1"])
        assert not service.sockets.listeners(["session:s-2"])
    with client.websocket_connect(f"{WS}?session_id=s-2", headers=bearer("decide")):
        assert service.sockets.listeners(["session:s-2"])
    for query in (f"token={token}x", "session_id=s-1", f"session_id=s-1&key={KEYS['decide'][0]}", "token="):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{WS}?{query}"):
            pass
    assert client.post("/api/decide", json={"customer_id": "u"}, headers={"authorization": token}).status_code == 401


def test_who_comes_too_often_is_told_when_to_come_again(door: Door) -> None:
    client, _ = door(**CLOSED, key_per_second=0.5)
    assert [client.get("/api/status", headers=bearer("admin")).status_code for _ in range(2)] == [200, 429]
    refused = client.get("/api/status", headers=bearer("admin"))
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.json()["code"] == "429"
    assert client.post("/api/decide", json={"customer_id": "u"}, headers=bearer("decide")).status_code == 200


def test_an_address_is_the_clients_also_behind_proxies(door: Door) -> None:
    client, _ = door(**CLOSED, address_per_second=0.5, proxies=1)

    def answered(forwarded: str) -> int:
        return client.get("/api/status", headers={"x-forwarded-for": forwarded}).status_code

    assert [answered("192.0.2.1"), answered("192.0.2.1"), answered("192.0.2.2")] == [401, 429, 401]
    assert answered("192.0.2.9, 192.0.2.1") == 429  # what the client itself claims is not believed


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1:4711", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("[2001:db8::1]:4711", "2001:db8:0:0:1::", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("unknown", "_hidden", False),
        ("fe80::1%eth0", "fe80::1%eth0", True),
    ],
)
def test_who_has_a_network_of_addresses_is_one_caller(one: str, other: str, is_same: bool) -> None:
    assert (caller_at(one) == caller_at(other)) == is_same
    assert len(caller_at("x" * 999)) == 64


def test_what_was_answered_is_counted_by_route_and_status(door: Door) -> None:
    client, _ = door(**CLOSED)
    client.get("/api/profiles/email/kim@example.com")
    text = client.get("/metrics", headers=bearer("admin")).text
    path = "/api/profiles/{identifier_type}/{value:path}"
    assert f'stitchlake_answers_total{{route="{path}",status="401"}} 1.0' in text
    assert "kim" not in text


def test_who_was_told_of_a_profile_is_in_the_audit_log_and_where_it_cannot_be_nobody_is(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = door(**CLOSED)
    open_lake(service.config)
    path, folder = "/api/profiles/user_id/kim", reads_folder(service.config)
    assert folder is not None
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer("profiles")).status_code == 200
    assert take_over(service.config, folder, service.clock()) == 1
    (row,) = rows_of(service.config, "read")
    assert (row["by"], json.loads(row["detail"])["what"]) == ("profiles", "GET /api/profiles")
    assert "kim" not in row["detail"]
    monkeypatch.setattr("serving.state.profile_reads.write_all", _full_disk)
    assert client.get(path, headers=bearer("profiles")).status_code == 503


def _full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "no space left")

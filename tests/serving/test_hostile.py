"""Hostile requests: nothing anybody sends is a 500, and every answer is as the OpenAPI page says.

Two searches, the same each time: schemathesis makes requests from the page, and hostile values are put into every place of whole
requests. Kafka is away: what needs it is a 503, which the page says.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth

from lakehouse.config.keys import ROLES
from serving.api.keys import INGEST, refused
from serving.api.scopes import LINK, OPEN, SCOPES, SIGNED
from serving.service import Service
from tests.serving.api.test_access_control import closed_to_all_but_tokens
from tests.serving.provider_tokens import signed

Door = Callable[..., tuple[TestClient, Service]]
Place = tuple[str | int, ...]
EXAMPLES, EXAMPLES_OF_A_ROLE = 12, 3
MOST_CPU_SECONDS = 3.0  # of a busy machine; a quadratic reading takes minutes
ENDLESS, IN_ADDRESS = "/api/changes", "/v1/projects/{write_key}/settings"
REFUSED, UNREAD, UNKNOWN = {401, 403}, {400, 404, 413, 415}, {400, 404, 413, 415}
NOT_CHECKED = [not_a_server_error, ignored_auth]  # 503 is one, too; and who is let in is looked at by role
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

VALUES: tuple[Any, ...] = (
    *(2**64, -(2**70), 10**400, 1e308, -1, 10**18),
    *("\ud800", "\0", "x" * 300, "9" * 400, "1e999", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+23:59"),
    *(None, True, [], {}, [2**70], {"": {"\ud83d": 2**80}}),
)
EVENT = {
    "type": "track",
    "event": "Product Viewed",
    "timestamp": "2026-01-01T00:00:00Z",
    "properties": {"product_id": "p", "category": "c", "price": 1, "products": [{"product_id": "a", "quantity": 1}]},
    "traits": {"email": "kim@example.com"},
    "context": {"consent": {"categoryPreferences": {"a": True}}, "externalIds": [{"type": "email", "id": "x"}]},
}
DECISION = {"customer_id": "u", "context": {"price": 1, "product_id": "p", "more": 1}, "events": [EVENT]}
KIM = {"type": "email", "value": "kim@example.com"}
WHOLE: tuple[tuple[str, Any], ...] = (
    ("/api/decide", DECISION),
    ("/api/personalized-recommendations", {"identifier": KIM, "context": {"price": 1, "more": 1}, "count": 5}),
    ("/api/exposures", {"decision_id": "?", "shown": "b", "occurred_at": "2026-01-01T00:00:00Z"}),
    ("/api/outcomes", {"decision_id": "?", "metric": "converted", "value": 1, "occurred_at": "2026-01-01T00:00:00Z"}),
    ("/api/products", {"product_ids": ["a"], "is_available": False}),
    ("/api/suppressions", {"identifier": KIM, "is_suppressed": True}),
    ("/api/page-tokens", {"identifier": KIM, "seconds": 5}),
    ("/v1/track", EVENT | {"anonymousId": "a", "writeKey": "dev"}),
    ("/v1/batch", {"batch": [EVENT], "writeKey": "dev", "context": {"a": 1}, "sentAt": "2026"}),
)


def places(node: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of a document, one more in each object, and the document itself."""
    yield at
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inner:
        yield from places(value, (*at, name))
    if isinstance(node, dict):
        yield (*at, "zz")


def put(node: Any, at: Place, value: Any) -> Any:
    if not at:
        return value
    if isinstance(node, dict):
        return {**node, at[0]: put(node.get(at[0]), at[1:], value)}
    return [put(inner, at[1:], value) if number == at[0] else inner for number, inner in enumerate(node)]


@pytest.fixture
def at_the_door(door: Door) -> TestClient:
    return door()[0]  # raises what is not caught, instead of a 500


@pytest.mark.parametrize(("path", "whole"), WHOLE, ids=[path for path, _ in WHOLE])
def test_hostile_values_in_every_place_are_told_and_never_a_500(at_the_door: TestClient, path: str, whole: Any) -> None:
    decision = at_the_door.post("/api/decide", json={"customer_id": "u"}).json()["decision_id"]
    whole = json.loads(json.dumps(whole).replace('"?"', f'"{decision}"'))
    for at in places(whole):
        for value in VALUES:
            answer = at_the_door.post(path, content=json.dumps(put(whole, at, value)))
            assert answer.status_code in (200, 400, 401, 404, 422, 503), (at, value, answer.text)


@pytest.mark.parametrize(("path", "status"), [("/v1/track", 400), ("/v1/batch", 400), ("/api/decide", 422)])
def test_as_many_names_as_a_body_has_room_for_are_told_in_time(at_the_door: TestClient, path: str, status: int) -> None:
    names = {f"{number:05x}": 0 for number in range(50_000)}
    body = json.dumps({"writeKey": "dev", **names}, separators=(",", ":"))
    assert 500_000 < len(body) < 524_288
    started = time.process_time()
    assert at_the_door.post(path, content=body).status_code == status
    assert time.process_time() - started < MOST_CPU_SECONDS


def said_for_all(context: dict[str, object], of_each: dict[str, object]) -> bytes:
    """The largest batch that says this for all of its messages, and that in each."""
    body = {
        "writeKey": "dev",
        "context": context,
        "batch": [{"type": "track", "event": "e", "context": of_each}] * 2_500,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def nested(levels: int) -> dict[str, object]:
    return {"a": nested(levels - 1)} if levels else {"b": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (said_for_all({f"k{number}": 1 for number in range(2_500)}, {"z": 1}), 400),
        (said_for_all({"x": "x" * 30_000}, {"z": 1}), 400),
        (said_for_all({f"k{number}": 1 for number in range(30)}, {"z": 1}), 503),
        (said_for_all(nested(60), nested(25)), 503),
    ],
    ids=["names", "bytes", "as much as may be", "levels"],
)
def test_what_a_batch_says_for_all_makes_no_small_request_a_large_one(
    at_the_door: TestClient, body: bytes, status: int
) -> None:
    started = time.process_time()
    assert at_the_door.post("/v1/batch", content=body).status_code == status
    assert time.process_time() - started < MOST_CPU_SECONDS


def test_a_hundred_thousand_keys_that_are_none_leave_nothing_behind(door: Door) -> None:
    _, service = door(is_open=False, key_per_second=1.0)
    answers = (refused(service, "ingest", f"key-{number}") for number in range(100_000))
    assert {answer is not None and answer.status_code for answer in answers} == {401}
    assert service.key_rates.callers == 0


def test_a_pixel_of_any_depth_is_no_500(at_the_door: TestClient) -> None:
    for levels in (31, 32, 33, 300, 5_000):
        name = ".".join("a" * levels)
        image = at_the_door.get(f"/v1/pixel/track?{name}=1&event=e&anonymousId=a&writeKey=dev")
        assert image.status_code == 503  # Kafka is away
        assert image.headers["retry-after"] == "1"


def test_a_write_key_that_looks_like_a_token_and_is_no_text_is_no_500(door: Door, tmp_path: Path) -> None:
    client = closed_to_all_but_tokens(door, tmp_path)
    for content in (rb'{"event":"e","writeKey":"a.b\ud800.c"}', b'{"event":"e","writeKey":"a.\xff.c"}'):
        assert client.post("/v1/track", content=content).status_code == 401


@pytest.mark.parametrize("length", ["9" * 5_000, "9" * 19, "-1", "1e3", "\u00b2"])
def test_a_length_that_is_none_is_no_500(at_the_door: TestClient, length: str) -> None:
    headers = {b"content-length": length.encode("latin-1")}
    assert at_the_door.post("/v1/track", content=b"{}", headers=headers).status_code == 413


def test_addresses_and_headers_of_any_bytes_are_no_500(at_the_door: TestClient) -> None:
    odd = ("%00", "%ff%fe", "%ed%a0%80", "%0a", "%2e%2e%2f", "a" * 4000, "%25", ";", "%F0%9F%98%80")
    for text in odd:
        for path in (
            f"/api/profiles/email/{text}",
            f"/api/profiles/{text}/x",
            f"/v1/pixel/{text}",
            f"/v1/projects/{text}/settings",
        ):
            assert at_the_door.get(path).status_code in (200, 401, 404)
        assert at_the_door.get(f"/v1/pixel/track?data={text}&writeKey={text}").status_code in (400, 401)
    for value in (b"\xff\xfe", b"Basic \xff", b"Bearer \xff", b"Basic " + b"=" * 99, b""):
        for name in ("authorization", "origin", "if-none-match", "last-event-id", "x-forwarded-for", "content-type"):
            assert at_the_door.get("/api/profiles/email/x", headers={name: value}).status_code in (200, 403)


def test_requests_made_from_the_page_are_answered_as_the_page_says(at_the_door: TestClient) -> None:
    told = made_from_the_page(at_the_door, EXAMPLES)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("role", [*ROLES, None])
def test_to_each_role_the_page_is_true_and_no_route_is_open_that_the_table_does_not_open(
    door: Door, tmp_path: Path, role: str | None
) -> None:
    """Whatever is asked, sound or faulty; None: by nobody whom the service knows."""
    client, allowed = closed_to_all_but_tokens(door, tmp_path), ROLES.get(role or "", frozenset())
    left_out = {ENDLESS} if scope_of(ENDLESS) in allowed else set()
    paths = client.get("/openapi.json").json()["paths"]
    asked = set[str]()

    def look(path: str, status: int) -> None:
        scope = scope_of(path)
        asked.add(path)
        if path == IN_ADDRESS:
            assert status == 401, "the key is in the address, and nobody has that one"
        elif scope in (LINK, SIGNED):
            assert status in UNKNOWN, path
        elif scope in allowed or scope == OPEN:
            assert status not in REFUSED, (path, status)
        elif scope == INGEST:
            assert status in {*REFUSED, *UNREAD}, (path, status)
        else:
            assert status == (403 if role else 401), (path, status)

    token = {"authorization": f"Bearer {signed(roles=[role])}"} if role else {}
    told = made_from_the_page(client, EXAMPLES_OF_A_ROLE, headers=token, look=look, left_out=left_out)
    assert not told, "\n".join(told)
    assert asked == set(paths) - left_out


def scope_of(path: str) -> str:
    """Of a path as the page has it."""
    return next(scope for route, scope in SCOPES.items() if route.replace(":path}", "}") == path)


def made_from_the_page(
    client: TestClient,
    examples: int,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    look: Callable[[str, int], None] = lambda *_: None,
    left_out: Collection[str] = (ENDLESS,),
) -> list[str]:
    """What was answered otherwise than the page says, each kind once. `examples`: of each route, sound ones and faulty ones.

    `headers`: of each request. `look`: is shown each path and the status of its answer. `left_out`: paths that are not asked.
    """
    told: dict[tuple[str, int, str], str] = {}
    for result in schemathesis.openapi.from_dict(client.get("/openapi.json").json()).get_all_operations():
        operation = result.ok()
        modes = MODES if operation.body else MODES[:1]
        for mode in modes if operation.path not in left_out else ():

            @seed(1)
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                sent = case.as_transport_kwargs(base_url=str(client.base_url))
                sent.pop("cookies", None)
                sent["headers"].update(headers)
                answer = client.request(**sent)
                assert answer.status_code != 500
                look(case.operation.path, answer.status_code)
                try:
                    case.validate_response(answer, excluded_checks=NOT_CHECKED)
                except AssertionError as error:
                    kind = (case.operation.label, answer.status_code, str(error)[:80])
                    told.setdefault(kind, f"{case.operation.label}: {error}")

            ask()
    return list(told.values())

import pytest
from fastapi.testclient import TestClient

from serving.api.request_spellings import RequestSpellings
from serving.messages.limits import Receive, Scope, Send


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    told = f"{scope['method']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-told", told)]})
    await send({"type": "http.response.body", "body": told})


CLIENT = TestClient(RequestSpellings(_echo, ["/healthz"]))


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        *((sent, "/v1/batch") for sent in ("/v1/batch", "/v1/batch/", "//v1/batch", "/v1//batch//")),
        ("/v1/import/", "/v1/import"),
        ("/sourceConfig/", "/sourceConfig"),
        ("//beacon/v1/batch", "/beacon/v1/batch"),
        ("/v1/projects/dev/settings/", "/v1/projects/dev/settings"),
        *((path, path) for path in ("/", "/api/profiles/user_id/a//b/", "/api//decide", "/docs/")),
    ],
)
def test_slashes_of_the_collectors_paths_say_nothing(sent: str, path: str) -> None:
    assert CLIENT.post(f"http://testserver{sent}").headers["x-told"] == f"POST {path}"


def test_head_is_get_without_its_body_where_nothing_follows_from_it() -> None:
    bare = CLIENT.head("/healthz")
    assert (bare.headers["x-told"], bare.content) == ("GET /healthz", b"")
    assert CLIENT.head("/v1/pixel/track").headers["x-told"] == "HEAD /v1/pixel/track"

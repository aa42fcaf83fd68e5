from collections.abc import Callable

from fastapi.testclient import TestClient

from lakehouse.errors import StoreError
from lakehouse.recommend.files import CURRENT
from serving.service import Service

Door = Callable[..., tuple[TestClient, Service]]


def waits_for(client: TestClient) -> dict[str, str]:
    answer = client.get("/readyz")
    assert answer.status_code == (503 if answer.json()["waits_for"] else 200)
    return dict(answer.json()["waits_for"])


def test_what_is_not_there_is_named_until_it_is(door: Door) -> None:
    client, service = door()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert set(waits_for(client)) == {"kafka", "decisions"}  # no model was ever trained: nothing to wait for
    service.is_listening.set()
    service.out._producer = service.log._producer = object()  # type: ignore[assignment] # a broker answered
    assert waits_for(client) == {}


def test_a_store_that_is_away_or_empty_and_a_model_that_cannot_be_read_are_waited_for(door: Door) -> None:
    client, service = door()
    folder = service.recommender._path.parent
    folder.mkdir(parents=True)
    (folder / CURRENT).write_text("no-such-version\n")
    assert waits_for(client)["model"] == "cannot be read"

    def away(_: object) -> None:
        raise StoreError("away")

    held = service.store.get
    service.store.get = away  # type: ignore[method-assign,assignment]
    assert waits_for(client)["online_store"] == "does not answer"
    service.store.get = lambda keys: [None for _ in keys]  # type: ignore[method-assign]
    assert waits_for(client)["online_store"] == "not filled from gold yet"
    service.store.get = held  # type: ignore[method-assign]
    assert "online_store" not in waits_for(client)

"""A cap is one cap: what the API showed counts for moments, and what a moment sent counts for the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import yaml
from fastapi.testclient import TestClient

from lakehouse.machine import wait_until
from serving.__main__ import make_service
from serving.app import create_app
from serving.lifespan import lifespan_of
from tests.serving.place import CART, Place, running

OFFER = "newsletter"  # of conf/offers.yaml: once a week
PATIENCE = 30


@contextmanager
def serving(place: Place) -> Iterator[TestClient]:
    service = make_service(place.config)
    with TestClient(create_app(service, lifespan_of(service)), base_url="http://127.0.0.1:8080") as api:
        yield api


def asked(api: TestClient, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def offered(api: TestClient, visitor: str) -> dict[str, Any]:
    return asked(api, "/api/decide", identifier={"type": "anonymous_id", "value": visitor}, offers=[OFFER])


def test_what_was_shown_is_not_sent_again_and_what_was_sent_is_not_shown_again(place: Place) -> None:
    moment = CART | {"offer": OFFER, "destinations": ["crm"]}
    place.files.moments.write_text(yaml.safe_dump({"moments": [moment]}))
    with serving(place) as api:
        decision = offered(api, "bo")
        assert decision["action"] == OFFER
        assert asked(api, "/api/exposures", decision_id=decision["decision_id"])["logged"]
    with running(place) as background:

        def suppressed() -> int:
            return int(orjson.loads(background.status())["destinations"]["crm"]["suppressed"])

        place.send("Product Added", "bo", properties={"product_id": "p1"})
        place.send("Product Added", "ana", properties={"product_id": "p1"})
        assert wait_until(lambda: place.names() == ["ana"] and suppressed() == 1, PATIENCE)
        place.send("Product Added", "ana", properties={"product_id": "p2"})
        assert wait_until(lambda: suppressed() == 2, PATIENCE)
    assert place.names() == ["ana"]
    with serving(place) as api:
        assert offered(api, "ana")["action"] == "none"
        assert offered(api, "carl")["action"] == OFFER
        sent = place.hook.calls[0][1]["decision_id"]
        assert asked(api, "/api/outcomes", decision_id=sent, metric="converted", value=1)["recorded"]

"""Nothing personal reaches those who do not want it, by no rung and by no rule; what holds for anybody still does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from lakehouse.config import Config
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.store import Document
from tests.online_people import person, put
from tests.serving.conftest import Start

KNOWN, DENIED, HELD_BACK = "known", "denied", "held-back"
RULES = [
    {
        "name": "for_champions",
        "owner": "crm",
        "when": "segment = 'champions'",
        "effect": "force",
        "products": ["p-personal"],
    },
    {"name": "in_the_cart", "owner": "crm", "when": "page_type = 'cart'", "effect": "force", "products": ["p-cart"]},
    {"name": "never", "owner": "legal", "when": "segment = 'champions'", "effect": "forbid", "products": ["p-never"]},
    {"name": "offered", "owner": "crm", "when": "page_type = 'cart'", "effect": "propose", "products": ["p-never"]},
]


@pytest.fixture
def api(serving_config: Config, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"rules": RULES}))
    monkeypatch.setattr("serving.__main__.RULES", rules)
    store = open_store(store_url(serving_config))
    says: dict[str, dict[str, Any]] = {
        KNOWN: {"consent_personalization": True},
        DENIED: {"consent_personalization": False},
        HELD_BACK: {"consent_personalization": True, "is_suppressed": True},
    }
    for name, figures in says.items():
        put(store, person(f"p-{name}", [("user_id", name)], segment="champions", **figures))
    store.close()
    return start(serving_config)[0]


def shown(api: TestClient, name: str) -> tuple[str, set[str]]:
    body = {"customer_id": name, "context": {"page_type": "cart"}, "count": 10}
    answer = api.post("/api/personalized-recommendations", json=body).json()
    return answer["rung"], {item["product_id"] for item in answer["items"]} & {"p-personal", "p-cart", "p-never"}


def test_rules_that_tell_people_apart_do_not_fire_for_those_who_do_not_want_to_be_known(api: TestClient) -> None:
    assert shown(api, KNOWN) == ("model", {"p-personal", "p-cart"})
    assert shown(api, DENIED) == ("popularity", {"p-cart"})
    assert shown(api, HELD_BACK) == ("popularity", {"p-cart"})


def test_somebody_who_cannot_be_looked_up_gets_nothing_that_is_kept_of_them(
    serving_config: Config, start: Start
) -> None:
    api, service = start(replace(serving_config))
    body = {"customer_id": "ana"}
    first = api.post("/api/personalized-recommendations", json=body).json()
    assert first["rung"] == "model"
    service.store.put([Document("m:profiles", 2**53 - 1, b"{}")])  # as a store that is being filled
    service.visitors.look()
    again = api.post("/api/personalized-recommendations", json=body).json()
    assert (again["rung"], again["degraded"]) == ("popularity", True)

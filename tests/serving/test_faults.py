"""The API when something it stands on is away: an answer in time that says so, never a 500."""

import asyncio
import dataclasses
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from lakehouse.config import Config
from lakehouse.machine import free_port
from lakehouse.online.engines import open_store
from tests.benchmarks import visitors
from tests.benchmarks.visitors import mark_filled
from tests.redis_server import running
from tests.serving.conftest import Start

RECOMMEND, DECIDE = "/api/personalized-recommendations", "/api/decide"
WHO = {"customer_id": "u-9", "events": [{"event": "Product Viewed", "properties": {"product_id": "p-00001"}}]}
KNOWN = {"customer_id": visitors.user(1)}
IN_TIME_SECONDS = 2.0  # of a busy test machine; the benchmark measures milliseconds


def on(config: Config, **changes: Any) -> Config:
    sections = {name: dataclasses.replace(getattr(config, name), **fields) for name, fields in changes.items()}
    return dataclasses.replace(config, **sections)


def answered(api: TestClient, path: str, body: dict[str, Any] = WHO) -> dict[str, Any]:
    started = time.monotonic()
    answer = api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - started < IN_TIME_SECONDS
    return dict(answer.json())


def test_a_redis_that_freezes_or_dies_degrades_and_comes_back(
    serving_config: Config, start: Start, tmp_path: Path
) -> None:
    with running(tmp_path) as (url, process):
        patient = {"deadline_ms": 800}  # a busy test machine is no fault
        fill(url)
        api, _ = start(on(serving_config, online_store={"url": url}, serving=patient))
        first = answered(api, RECOMMEND, KNOWN)
        assert (first["degraded"], first["rung"], first["profile_id"]) == (False, "model", "profile-000001")
        os.kill(process, signal.SIGSTOP)
        try:
            frozen = answered(api, RECOMMEND, KNOWN)
            assert (frozen["degraded"], frozen["rung"]) == (True, "popularity")  # nobody knows what they said meanwhile
            silent = answered(api, DECIDE)
            assert (silent["action"], silent["silent_because"]) == ("none", "consent cannot be looked up")
            away = api.post("/api/outcomes", json={"decision_id": "d" * 32})
            assert away.status_code == 503
            assert away.headers["retry-after"]
        finally:
            os.kill(process, signal.SIGCONT)
        assert answered(api, RECOMMEND, KNOWN)["rung"] == "model"
    dead = answered(api, RECOMMEND)
    assert (dead["degraded"], dead["degraded_because"][0]) == (True, "online store: not there")


def test_the_last_good_answer_stands_in_for_a_model_that_fails(serving_config: Config, start: Start) -> None:
    api, service = start(serving_config)
    good = answered(api, RECOMMEND)
    model = service.recommender.current
    assert model is not None
    model.propose = lambda *_, **__: 1 / 0  # type: ignore[method-assign, assignment]
    kept = answered(api, RECOMMEND)
    assert (kept["rung"], kept["degraded"]) == ("cached", True)
    assert [item["product_id"] for item in kept["items"]] == [item["product_id"] for item in good["items"]]


def fill(url: str) -> None:
    """Two people are known to the store."""
    store = open_store(url, timeout_ms=2000)
    visitors.fill(store, 2)
    store.close()


def test_a_store_that_is_empty_degrades_and_makes_no_offer(
    serving_config: Config, start: Start, tmp_path: Path
) -> None:
    """Whoever has withdrawn consent may only not be there yet."""
    api, service = start(on(serving_config, online_store={"url": f"lmdb://{tmp_path}/empty"}))
    answer = answered(api, RECOMMEND)
    assert (answer["degraded"], answer["degraded_because"][0]) == (True, "online store: not filled from gold yet")
    assert answer["items"]
    assert answered(api, DECIDE)["silent_because"] == "consent cannot be looked up"
    mark_filled(service.store)
    service.visitors.look()
    assert answered(api, DECIDE)["action"] != "none"


def _without(folder: Path) -> None:
    shutil.rmtree(folder)


def _corrupt(folder: Path) -> None:
    next(folder.glob("*/model.npz")).write_bytes(b"no model")


@pytest.mark.parametrize("damage", [_without, _corrupt])
def test_a_model_that_is_missing_or_corrupt_is_told(
    serving_config: Config, start: Start, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    lake = tmp_path / "damaged"
    shutil.copytree(serving_config.lake.root, lake)
    damage(lake / "_serving" / "recommender")
    api, _ = start(on(serving_config, lake={"root": str(lake)}))
    answer = answered(api, RECOMMEND)
    assert (answer["degraded"], answer["items"], answer["rung"]) == (True, [], "popularity")
    assert "recommender" in answer["degraded_because"][0]
    assert str(tmp_path) not in str(answer)
    assert answered(api, DECIDE)["action"] != "none"


def test_without_a_broker_decisions_go_on_and_events_are_told_as_not_taken(
    serving_config: Config, start: Start
) -> None:
    config = on(serving_config, kafka={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    api, _ = start(config, connected=False)
    answer = answered(api, RECOMMEND)
    assert answer["events"] == {"received": 1, "acknowledged": 0}
    assert answer["degraded_because"] == ["kafka: 1 of 1 events not acknowledged. Send them again"]
    assert len(answer["items"]) > 0
    collected = api.post("/v1/track", json={"userId": "u", "event": "e", "writeKey": "dev"})
    assert (collected.status_code, collected.headers["retry-after"]) == (503, "1")


def test_without_a_broker_events_are_taken_as_long_as_the_disk_may_keep_them(
    serving_config: Config, start: Start, tmp_path: Path
) -> None:
    away = {"kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"}, "lake": {"root": str(tmp_path / "lake")}}
    api, _ = start(on(serving_config, **away, serving={"spool_megabytes": 1}), connected=False)
    large = {"type": "track", "userId": "u", "event": "e", "properties": {"text": "x" * 30_000}}
    batch = {"batch": [large] * 15, "writeKey": "dev"}
    taken = [api.post("/v1/batch", json=batch) for _ in range(3)]
    assert [answer.status_code for answer in taken] == [200, 200, 503]
    assert taken[0].json() == {"success": True, "acknowledged": 15}
    assert taken[2].json()["detail"].startswith("spool: ")
    assert taken[2].headers["retry-after"] == "1"
    assert 900_000 < api.get("/api/status").json()["spooled_bytes"] < 1_000_000
    assert api.post("/api/products", json={"product_ids": ["a"], "is_available": True}).status_code == 503


def test_under_pressure_everybody_gets_what_everybody_likes(serving_config: Config, start: Start) -> None:
    api, _ = start(on(serving_config, serving={"max_at_once": 1}))
    app = api.app

    async def burst() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
            return await asyncio.gather(*(client.post(RECOMMEND, json=WHO) for _ in range(200)))

    assert api.portal is not None
    answers = api.portal.call(burst)
    assert {answer.status_code for answer in answers} == {200}
    pressed = [answer.json() for answer in answers if "under pressure" in answer.json()["degraded_because"]]
    assert pressed
    assert all(answer["items"] and answer["rung"] == "popularity" for answer in pressed)

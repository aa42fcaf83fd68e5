"""One `request_id` is one answer and one row of the log, in every process, at once or later, whatever was learned meanwhile."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from lakehouse.decisions.visitor import suppression_key
from lakehouse.errors import StoreError
from lakehouse.online.store import Document
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
from serving.messages.request_models import DecisionRequest, RecommendationRequest
from tests.online_people import person, put
from tests.serving.quiet_shop import BEGIN, DAY, QuietShop, decide, expose, quiet_shop

__all__ = ["quiet_shop"]


def learn_the_opposite(shop: QuietShop, first: str) -> None:
    """Whoever is asked from now on rather says anything but what was said first."""
    service = shop.running[0]
    for number in range(60):
        expose(service, decide(service, f"v{number}", offers=[first])["decision_id"])
    shop.now += 8 * DAY
    for one in shop.running:
        one.policy.learn(one.now_ms())
    shop.now = BEGIN
    shop.logged.clear()


def test_asked_again_it_is_answered_as_at_first(quiet_shop: QuietShop) -> None:
    one, other = quiet_shop.start(explore=0.001), quiet_shop.start(explore=0.001)
    first = [decide(one, request_id=f"r{number}") for number in range(15)]
    learn_the_opposite(quiet_shop, first[0]["action"])
    quiet_shop.offer(
        {"name": "new", "title": "New", "owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 9}
    )
    third = quiet_shop.start()
    for number, answer in enumerate(first):
        for service in (one, other, third):
            assert decide(service, request_id=f"r{number}", context={"page_type": "cart"}) == answer
    assert quiet_shop.of_kind("decision") == []
    assert {decide(other, request_id=f"new{number}")["action"] for number in range(15)} != {first[0]["action"]}


def test_asked_at_once_in_several_processes_all_are_answered_alike(quiet_shop: QuietShop) -> None:
    processes = [quiet_shop.start(explore=1.0) for _ in range(3)]
    with ThreadPoolExecutor(6) as at_once:
        for number in range(8):
            asked = [(processes[n % 3], f"r{number}") for n in range(6)]
            answers = list(at_once.map(lambda ask: decide(ask[0], request_id=ask[1], explain=True), asked))
            assert all(answer == answers[0] for answer in answers)
    rows = quiet_shop.of_kind("decision")
    assert len(rows) == len({row["decision_id"] for row in rows}) == 8


def test_a_faster_process_holds_also_while_the_slower_decides(
    quiet_shop: QuietShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = quiet_shop.start(), quiet_shop.start()
    said: list[dict[str, Any]] = []
    read = type(slow.visitors).find

    async def find(visitors: Any, *who: Any) -> Any:
        if visitors is slow.visitors and not said:
            with ThreadPoolExecutor(1) as meanwhile:
                said.append(meanwhile.submit(decide, fast, request_id="r", offers=["trial"]).result())
        return await read(visitors, *who)

    monkeypatch.setattr(type(slow.visitors), "find", find)
    assert decide(slow, request_id="r", offers=["gift"]) == said[0]
    assert said[0]["action"] == "trial"
    assert [row["action"] for row in quiet_shop.of_kind("decision")] == ["trial"]


def test_products_are_answered_once_too_and_no_id_is_no_promise(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    who = {"identifier": {"type": "anonymous_id", "value": "ana"}}

    def ask(**request: Any) -> dict[str, Any]:
        return asyncio.run(recommendations(service, RecommendationRequest.model_validate(who | request)))

    assert ask(request_id="r") == ask(request_id="r", count=3)
    assert ask()["decision_id"] != ask()["decision_id"]
    assert len(quiet_shop.of_kind("decision")) == 3


def test_an_answer_that_could_not_be_kept_says_so(quiet_shop: QuietShop, monkeypatch: pytest.MonkeyPatch) -> None:
    service = quiet_shop.start()

    def put(_: Any) -> int:
        raise StoreError("away")

    monkeypatch.setattr(type(service.store), "put", lambda store, documents: put(documents))
    answer = asyncio.run(
        next_best_action(
            service, DecisionRequest.model_validate({"customer_id": "u-1", "request_id": "r", "offers": ["gift"]})
        )
    )
    assert answer["degraded"]
    assert "could not be kept" in answer["degraded_because"][-1]


def test_a_request_without_an_id_asks_the_store_nothing_more(
    quiet_shop: QuietShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = quiet_shop.start()
    decide(service)
    asked: list[str] = []
    for name in ("get", "put", "read", "append", "scan", "latest"):
        real = getattr(service.store, name)

        def spy(*arguments: Any, name: str = name, real: Any = real, **named: Any) -> Any:
            if asyncio._get_running_loop() is not None:  # by the answer, not behind it
                asked.append(name)
            return real(*arguments, **named)

        monkeypatch.setattr(service.store, name, spy)
    decide(service)
    assert asked == ["read"]


def test_what_was_said_once_is_not_said_again_to_who_is_to_be_left_alone(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    first = decide(service, request_id="r")
    assert first["action"] != "none"
    key = suppression_key(("anonymous_id", "ana"))
    service.kept.put([Document(key, service.now_ms(), b"1")])
    quiet_shop.now += timedelta(seconds=1)
    again = [decide(one, request_id="r") for one in (service, quiet_shop.start(), service)]
    assert {(answer["action"], answer["silent_because"]) for answer in again} == {("none", "suppressed")}
    assert len({row["log_id"] for row in quiet_shop.of_kind("decision")}) == 1


def test_what_was_said_to_one_is_not_said_again_to_another_by_the_same_identifier(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    put(service.store, person("one", [("anonymous_id", "ana")]))
    first = decide(service, request_id="r")
    assert (first["profile_id"], decide(service, request_id="r")) == ("one", first)
    put(service.store, person("two", [("anonymous_id", "ana")], version=2))
    quiet_shop.now += timedelta(seconds=1)
    assert decide(service, request_id="r")["profile_id"] == "two"

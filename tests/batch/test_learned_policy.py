"""After any history, with several processes, restarts and crashes, what was learned is what the decision log says, to the last bit."""

import random
from typing import Any

import pytest

from batch.learned_policy import rebuilt
from lakehouse.errors import ModelError, StoreError
from lakehouse.learning.exposure import WAITING
from lakehouse.online.store import MOST, Document
from serving.service import Service
from tests.serving.quiet_shop import DAY, HOUR, OFFERS, QuietShop, decide, expected, expose, quiet_shop, tell

__all__ = ["quiet_shop"]
METRICS = ("converted", "converted", "clicked", "unsubscribed")


def any_history(shop: QuietShop, choose: random.Random, policy: str, steps: int) -> list[Service]:
    """Two processes that decide, are told, learn, crash while they learn, and are started anew."""
    processes = [shop.start(policy=policy) for _ in range(2)]
    shown: list[str] = []
    for _ in range(steps):
        number = choose.randrange(2)
        service = processes[number]
        match choose.choice(("decide", "decide", "decide", "tell", "tell", "again", "wait", "learn", "crash", "start")):
            case "decide":
                visitor = f"v{choose.randrange(20)}"
                decision_id = decide(service, visitor, offers=choose.sample(OFFERS, 2))["decision_id"]
                if choose.random() < 0.9:
                    expose(service, decision_id, shown=choose.choice((None, None, None, "gift")))
                    shown.append(decision_id)
            case "tell" if shown:
                said = choose.choice(shown[-20:])
                tell(service, said, choose.choice(METRICS), value=choose.choice((1, 1, 0.3, 7)))
            case "again" if shown:
                expose(service, choose.choice(shown[-20:]))
            case "wait":
                shop.now += choose.choice((HOUR, 2 * DAY, 3 * DAY))
            case "learn":
                service.policy.learn(service.now_ms())
            case "crash":
                with pytest.MonkeyPatch.context() as broken:  # after it has written, before it has tidied up
                    broken.setattr(service.kept, "remove", _die)
                    service.policy.learn(service.now_ms())
            case "start":
                shop.stop(service)
                processes[number] = shop.start(policy=policy)
    return processes


def _die(*_: Any) -> None:
    raise StoreError("killed")


def now_ms(shop: QuietShop) -> int:
    return shop.running[0].now_ms()


@pytest.mark.parametrize("policy", ["thompson", "linucb"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_learned_is_what_the_log_tells(quiet_shop: QuietShop, policy: str, seed: int) -> None:
    shop = quiet_shop
    processes = any_history(shop, random.Random(seed), policy, 200)
    config = shop.running[0].config
    for service in processes:
        service.policy.learn(service.now_ms())
    found = rebuilt(config, shop.rows(), now_ms(shop), is_check=True)
    assert found["is_equal"], found
    assert found["exposures"] == found["exposures_of_log"] > 10
    shop.now += 9 * DAY
    processes[0].policy.learn(now_ms(shop))
    final = processes[0].policy.store.read()
    assert final.count == len({row["decision_id"] for row in shop.rows() if "teaches" in (row["context"] or "")})


@pytest.mark.parametrize("policy", ["thompson", "linucb"])
def test_what_was_lost_or_damaged_is_built_again_and_goes_on_from_there(quiet_shop: QuietShop, policy: str) -> None:
    shop = quiet_shop
    (service, _) = any_history(shop, random.Random(7), policy, 200)
    config = service.config
    service.policy.learn(service.now_ms())
    learned = service.policy.store.read()
    waiting = service.kept.until(WAITING, MOST, 1000)
    assert waiting
    assert learned.count > 10
    service.kept.put([Document(service.policy.store.key, learned.version + 1, b"{")])
    service.kept.remove(WAITING, [entry.id for entry in waiting])
    with pytest.raises(ModelError):
        service.policy.store.read()
    before = expected(service)
    service.policy.learn(service.now_ms())  # a damaged state is not taken for an empty one, nor written over
    assert expected(service) == before
    told = rebuilt(config, shop.rows(), now_ms(shop), is_check=False)
    assert (told["exposures"], told["waiting"]) == (learned.count, len(waiting))
    assert service.policy.store.read().state.to_json() == learned.state.to_json()
    assert service.kept.until(WAITING, MOST, 1000) == waiting
    shop.now += 9 * DAY
    service.policy.learn(service.now_ms())
    assert rebuilt(config, shop.rows(), now_ms(shop), is_check=True)["is_equal"]
    assert service.policy.store.read().count == learned.count + len(waiting)


def test_a_log_that_lost_a_message_is_told(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    for number in range(3):
        expose(service, decide(service, f"v{number}")["decision_id"])
    quiet_shop.now += 9 * DAY
    service.policy.learn(service.now_ms())
    found = rebuilt(service.config, quiet_shop.rows()[:-1], service.now_ms(), is_check=True)
    assert (found["is_equal"], found["exposures"], found["exposures_of_log"]) == (False, 3, 2)


def test_another_reward_metric_learns_from_what_was_shown_before(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    decision_id = decide(service, offers=["gift"])["decision_id"]
    expose(service, decision_id)
    tell(service, decision_id, "clicked")
    quiet_shop.now += 9 * DAY
    service.policy.learn(service.now_ms())
    quiet_shop.stop(service)
    other = quiet_shop.start(reward_metric="clicked")
    assert rebuilt(other.config, quiet_shop.rows(), other.now_ms(), is_check=False)["exposures"] == 1
    other.policy.learn(other.now_ms())
    assert expected(other)["gift"] == round(2 / 21, 4)

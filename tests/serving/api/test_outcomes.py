"""Exposures and outcomes: each counts once, a silence counts as a failure, and one metric alone is a reward."""

from typing import Any

import pytest

from lakehouse.errors import StoreError
from lakehouse.online.store import OnlineStore
from serving.api.outcomes import Unavailable, Unknown
from serving.service import Service
from tests.serving.quiet_shop import DAY, HOUR, OFFER, QuietShop, decide, expected, expose, quiet_shop, tell

__all__ = ["quiet_shop"]
PRIOR = 0.05
WINDOW = 7 * DAY + 2 * HOUR  # with what is waited for outcomes on their way


def shown(service: Service, **request: Any) -> str:
    """A decision of an offer that was shown."""
    answer = decide(service, offers=["gift"], **request)
    expose(service, answer["decision_id"])
    return str(answer["decision_id"])


def after_the_window(shop: QuietShop, service: Service) -> dict[str, float]:
    shop.now += WINDOW
    service.policy.learn(service.now_ms())
    return expected(service)


def test_shown_and_not_converted_is_a_failure_counted_when_the_window_is_over(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    for number in range(20):
        shown(service, visitor=f"v{number}")
    quiet_shop.now += 7 * DAY
    service.policy.learn(service.now_ms())
    assert expected(service)["gift"] == PRIOR  # not yet
    assert after_the_window(quiet_shop, service) == {"gift": 1 / 40, "bundle": PRIOR, "trial": PRIOR}
    assert after_the_window(quiet_shop, service)["gift"] == 1 / 40  # once


def test_a_decision_that_nobody_showed_says_nothing(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    decision_id = decide(service)["decision_id"]
    tell(service, decision_id)
    assert set(after_the_window(quiet_shop, service).values()) == {PRIOR}


@pytest.mark.parametrize(
    ("told", "worth"),
    [
        ([("converted", 1.0)], 1.0),
        ([("converted", 1.0)] * 3, 1.0),
        ([("converted", 0.25), ("converted", 1.0)], 0.25),  # the first holds
        ([("clicked", 1.0), ("revenue", 80.0), ("converted", 40.0)], 1.0),
        ([("unsubscribed", 1.0), ("complained", 1.0)], 0.0),
        ([("converted", -3.0)], 0.0),
    ],
)
def test_a_decision_has_one_effect_whatever_is_told_of_it(quiet_shop: QuietShop, told: list, worth: float) -> None:
    service = quiet_shop.start()
    decision_id = shown(service)
    for metric, value in told:
        tell(service, decision_id, metric, value=value)
    expose(service, decision_id)
    assert after_the_window(quiet_shop, service)["gift"] == round((1 + worth) / 21, 4)
    logged = [(row["metric"], row["value"]) for row in quiet_shop.rows() if row["kind"] == "outcome"]
    assert len(logged) == len({metric for metric, _ in told})


def test_where_less_is_better_a_silence_is_a_reward(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start(reward_metric="unsubscribed", reward_direction="lower")
    kept, left = (shown(service, visitor=name) for name in ("kept", "left"))
    tell(service, left, "unsubscribed")
    tell(service, kept, "converted")
    assert after_the_window(quiet_shop, service)["gift"] == round(2 / 22, 4)


def test_an_outcome_that_comes_late_is_recorded_and_not_learned_from(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    in_time, late, told_late = (shown(service, visitor=f"v{number}") for number in range(3))
    began = quiet_shop.now
    quiet_shop.now += 7 * DAY + HOUR / 2
    assert not tell(service, in_time, occurred_at=began + DAY)["late"]  # told later than it happened
    assert tell(service, late)["late"]
    quiet_shop.now += HOUR / 2
    assert tell(service, told_late, occurred_at=began + DAY) == {
        **{"decision_id": told_late, "recorded": True, "duplicate": False, "late": True}
    }
    assert after_the_window(quiet_shop, service)["gift"] == round(2 / 23, 4)


def test_an_outcome_may_be_told_before_the_exposure(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    decision_id = decide(service, offers=["gift"])["decision_id"]
    tell(service, decision_id)
    expose(service, decision_id)
    assert after_the_window(quiet_shop, service)["gift"] == round(2 / 21, 4)


def test_another_offer_than_was_decided_on_teaches_nothing(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    expose(service, decide(service, offers=["gift"])["decision_id"], shown="bundle")
    assert set(after_the_window(quiet_shop, service).values()) == {PRIOR}


@pytest.mark.parametrize("policy", ["thompson", "linucb", "greedy"])
def test_where_nothing_was_offered_an_outcome_is_recorded_and_no_fault(quiet_shop: QuietShop, policy: str) -> None:
    service = quiet_shop.start(policy=policy)
    answer = decide(service, offers=["no such offer"])
    assert answer["action"] == "none"
    expose(service, answer["decision_id"])
    assert tell(service, answer["decision_id"])["recorded"]
    before = expected(service)
    assert after_the_window(quiet_shop, service) == before


def test_what_was_shown_and_what_came_of_it_outlive_the_machine(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    converted, silent = shown(service, visitor="one"), shown(service, visitor="other")
    tell(service, converted)
    quiet_shop.stop(service)
    for file in (quiet_shop.folder / "online").rglob("*"):  # what a reboot does
        file.unlink() if file.is_file() else None
    for folder in (quiet_shop.folder / "online").iterdir():
        folder.rmdir()
    again = quiet_shop.start()
    assert tell(again, silent, "clicked")["recorded"]  # still known
    assert tell(again, converted)["duplicate"]
    assert after_the_window(quiet_shop, again)["gift"] == round(2 / 22, 4)


def test_what_is_not_remembered_is_told_and_what_the_store_does_not_take_is_to_be_sent_again(
    quiet_shop: QuietShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = quiet_shop.start()
    with pytest.raises(Unknown, match="shown within 7 days"):
        tell(service, "d" * 32)
    decision_id = decide(service, offers=["gift"])["decision_id"]
    with monkeypatch.context() as broken:
        broken.setattr(service.policy.store, "wait", _fail)
        with pytest.raises(Unavailable, match="Send it again"):
            expose(service, decision_id)
    assert expose(service, decision_id)["duplicate"]  # it was written; what was left undone is done now
    assert after_the_window(quiet_shop, service)["gift"] == round(1 / 21, 4)


def _fail(*_: object) -> None:
    raise StoreError("away")


def test_decisions_and_what_was_told_of_them_are_let_go_of(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start()
    decision_id = shown(service)
    tell(service, decision_id)
    unshown = decide(service)["decision_id"]
    quiet_shop.stop(service)
    service = quiet_shop.start()
    quiet_shop.now += 8 * DAY
    _expire(service, service.store)
    assert tell(service, decision_id, "clicked")["late"]
    with pytest.raises(Unknown):
        expose(service, unshown)
    service.policy.learn(service.now_ms())
    quiet_shop.now += 45 * DAY
    for store in (service.store, service.kept):
        _expire(service, store)
        assert {key.partition(":")[0] for key, _ in store.scan("")} & {"d", "shown", "o"} == set()
    with pytest.raises(Unknown):
        tell(service, decision_id)


def test_a_cap_for_life_lasts_and_a_callers_own_rule_burns_none(quiet_shop: QuietShop) -> None:
    once = {"caps": {"lifetime": 1}}
    quiet_shop.offer(
        *({"name": name, "title": name, **OFFER} for name in ("bundle", "trial")),
        {"name": "gift", "title": "gift", **OFFER, **once},
    )
    hero = {"name": "hero", "owner": "crm", "when": "true", "effect": "force", "offer": "bundle", **once}
    quiet_shop.rule(hero)
    service = quiet_shop.start()
    for number in range(3):
        shown(service, context={"rule": "hero", "page_type": f"p{number}"}, visitor="ana")  # gift, once
    assert decide(service)["offers"][0]["reason"] == "rule hero"  # its cap is not reached by what a caller says
    expose(service, decide(service)["decision_id"])
    for _ in range(70):
        expose(service, decide(service, offers=["trial"])["decision_id"])
        quiet_shop.now += DAY
    quiet_shop.stop(service)
    again = quiet_shop.start()
    assert decide(again, offers=["gift"])["action"] == "none"
    assert decide(again, offers=["bundle"])["offers"][0]["reason"] != "rule hero"
    assert decide(again, visitor="ben", offers=["gift"])["action"] == "gift"


def _expire(service: Service, store: OnlineStore) -> None:
    while store.expire(service.now_ms(), 100) == 100:
        pass

"""Policy uplift: what a person's targeted_offer may and may not do, and what its log is worth to those who learn from it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pandas as pd
import pytest

from lakehouse.experiments.new_policies import decisions_under, weighable
from lakehouse.uplift.experiment_log import ExperimentLog
from lakehouse.uplift.study import study
from serving.service import Service
from tests.online_people import person, put
from tests.serving.quiet_shop import OFFER, OFFERS, QuietShop, decide, quiet_shop

__all__ = ["quiet_shop"]  # the fixture, by its name
EXPLORE, PEOPLE = 0.45, 700
BUNDLE = {"targeted_offer": "bundle", "targeted_offer_model_version": "4"}


def know(service: Service, visitor: str, **figures: object) -> None:
    put(service.store, person(f"p-{visitor}", [("anonymous_id", visitor)], **figures))


def chosen(service: Service, visitor: str = "ana", times: int = 60) -> set[str]:
    return {decide(service, visitor)["action"] for _ in range(times)}


def test_the_targeted_offer_is_made_and_the_log_says_who_chose_it_and_with_which_chance(quiet_shop: QuietShop) -> None:
    service = quiet_shop.start(policy="uplift", explore=0.001)
    know(service, "ana", **BUNDLE)
    answer = decide(service)
    assert (answer["action"], answer["policy_version"]) == ("bundle", "uplift-4")
    (first, *others) = answer["offers"]
    assert (first["reason"], first["propensity"]) == ("targeted", pytest.approx(0.999 + 0.001 / 3))
    assert {other["reason"] for other in others} == {"expected value"}
    (logged,) = quiet_shop.of_kind("decision")
    assert (logged["propensity"], logged["policy_version"]) == (first["propensity"], "uplift-4")
    assert set(orjson.loads(logged["context"])["candidates"]) == set(OFFERS)
    assert decide(service, "stranger")["policy_version"] == "thompson-0"


FORBIDS = {"name": "no", "owner": "legal", "when": "true", "effect": "forbid", "offer": "bundle"}
PROPOSES = {"name": "only", "owner": "crm", "when": "true", "effect": "propose", "offer": "gift"}
NOT_FOR_HER = {"name": "bundle", "title": "Bundle", **OFFER, "when": "frequency > 5"}
GIFT = {"name": "gift", "title": "Gift", **OFFER}


def test_a_targeted_offer_that_is_forbidden_is_never_made(quiet_shop: QuietShop) -> None:
    quiet_shop.rule(FORBIDS)
    service = quiet_shop.start(policy="uplift")
    know(service, "ana", **BUNDLE)
    assert chosen(service) == {"gift", "trial"}
    assert decide(service)["policy_version"] == "thompson-0"


def test_a_targeted_offer_that_is_not_for_the_person_is_never_made(quiet_shop: QuietShop) -> None:
    quiet_shop.offer(NOT_FOR_HER, GIFT)
    service = quiet_shop.start(policy="uplift", explore=EXPLORE)
    know(service, "ana", **BUNDLE)
    know(service, "bea", **BUNDLE, frequency=9)
    assert (chosen(service), chosen(service, "bea")) == ({"gift"}, {"bundle", "gift"})


def test_only_what_rules_propose_is_weighed(quiet_shop: QuietShop) -> None:
    quiet_shop.rule(PROPOSES)
    service = quiet_shop.start(policy="uplift")
    know(service, "ana", **BUNDLE)
    answer = decide(service)
    assert (answer["action"], answer["offers"][0]["reason"]) == ("gift", "rule only")


@pytest.mark.parametrize("figures", [{"is_suppressed": True}, {"consent_marketing": False}], ids=str)
def test_who_is_to_be_left_alone_gets_nothing(quiet_shop: QuietShop, figures: dict[str, bool]) -> None:
    service = quiet_shop.start(policy="uplift")
    know(service, "ana", **BUNDLE, **figures)
    assert chosen(service, times=5) == {"none"}


def test_who_learns_from_the_log_finds_the_truth(quiet_shop: QuietShop) -> None:
    """Half of the people convert on what they are targeted with, the rest have none: a mean of what was shown says too much."""
    service, rng = quiet_shop.start(policy="uplift", explore=EXPLORE), np.random.default_rng(3)
    likes = rng.choice(OFFERS, PEOPLE)
    has_one = rng.random(PEOPLE) < 0.7
    would = rng.random((PEOPLE, len(OFFERS))) < np.where(likes[:, None] == np.array(OFFERS), 0.8, 0.1)
    outcomes = []
    for number in range(PEOPLE):
        if has_one[number]:
            know(service, f"v{number}", targeted_offer=str(likes[number]), targeted_offer_model_version="4")
        else:
            know(service, f"v{number}")
        answer = decide(service, f"v{number}", request_id=f"r{number}")  # by which its luck is drawn
        is_won = bool(would[number, OFFERS.index(answer["action"])])
        told = {"kind": "outcome", "decision_id": answer["decision_id"], "metric": "converted", "value": float(is_won)}
        outcomes.append(told | {"occurred_at": quiet_shop.now + timedelta(hours=1)})
    decided = [
        message | {"occurred_at": datetime.fromtimestamp(message["occurred_at"] / 1000, UTC)}
        for message in quiet_shop.of_kind("decision")
    ]
    log = pd.DataFrame(decided + outcomes).astype({"propensity": object})
    assert {message["policy_version"] for message in decided} == {"uplift-4", "thompson-0"}

    under_uniform, left_out = decisions_under(log, "uniform", metric="converted", window_days=7)
    assert not left_out
    found = under_uniform.evaluated(alpha=0.05).ipw
    assert found is not None
    low, high = found.interval
    assert low < would.mean() < high < under_uniform.reward.mean()

    rows, _ = weighable(log, metric="converted", window_days=7)
    numbers = [int(row.unit.removeprefix("p-v")) for row in rows]
    result = study(
        ExperimentLog(
            unit=np.array([row.unit for row in rows]),
            arm=np.array([row.action for row in rows]),
            reward=np.array([row.reward for row in rows]),
            propensity=np.array([row.propensity for row in rows]),
            features=pd.DataFrame({name: (likes[numbers] == name).astype(float) for name in OFFERS}),
            left_out={},
        ),
        reward="converted",
    )
    assert result.refused is None
    for arm in result.arms:
        assert arm.value.low < would[:, OFFERS.index(arm.name)].mean() < arm.value.high
    assert result.policy is not None
    assert (result.policy.choose(pd.DataFrame(np.eye(3), columns=list(OFFERS))) == np.array(OFFERS)).all()

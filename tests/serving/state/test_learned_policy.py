"""What any process counts all know, and a store that is away or damaged is not taken for one that is empty."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.stats import chisquare

from lakehouse.bandits.learned import Settled
from lakehouse.config import ServingConfig, load
from lakehouse.learning.exposure import waiting
from lakehouse.learning.learned_store import FEATURES
from lakehouse.learning.reward import Outcome
from lakehouse.online.engines import open_store
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.store import MOST, Document, OnlineStore
from serving.state.learned_policy import LearnedPolicy
from tests.online_people import person

CONFIG = load("dev", environ={}).serving
WORTHS = {"a": 1.0, "b": 1.0}
NOW_MS = 1_000_000
UPLIFT = dataclasses.replace(CONFIG, policy="uplift", explore=0.3)
TARGETED = person("ann", [], targeted_offer="b", targeted_offer_model_version="3")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = open_store(f"lmdb://{tmp_path}/online")
    yield opened
    opened.close()


def learned(store: OnlineStore, converted: dict[str, list[bool]], config: ServingConfig = CONFIG) -> LearnedPolicy:
    """A process that has counted these exposures."""
    policy = LearnedPolicy(config, store)
    for arm, conversions in converted.items():
        for number, is_converted in enumerate(conversions):
            name = f"{arm}{number:03}"
            if is_converted:
                store.put([Outcome(1.0, 0, False).document(name, "converted", MOST)])
            policy.store.wait([waiting(Settled(number, name, arm, (1.0,) * FEATURES, 0.0))])
    policy.learn(NOW_MS)
    return policy


def chance(policy: LearnedPolicy, arm: str) -> float:
    return policy.explorer("d", is_greedy=True)(WORTHS, {}).chances[arm]


def test_what_one_process_counts_all_know_and_a_new_one_begins_with(store: OnlineStore) -> None:
    other = learned(store, {})
    one = learned(store, {"a": [True] * 40, "b": [False] * 40})
    assert chance(other, "a") == pytest.approx(0.05)  # nobody told it yet
    other.learn(NOW_MS)
    for policy in (one, other, learned(store, {})):
        assert chance(policy, "a") == pytest.approx(41 / 60)
        assert chance(policy, "b") == pytest.approx(1 / 60)
        assert policy.learning == ("thompson", "thompson-80")


def test_a_store_that_does_not_answer_changes_nothing(store: OnlineStore) -> None:
    one = learned(store, {"a": [True] * 20})
    store.close()
    one.learn(NOW_MS)
    assert chance(one, "a") == pytest.approx(21 / 40)


def test_a_damaged_state_is_neither_taken_for_empty_nor_written_over(store: OnlineStore) -> None:
    one = learned(store, {"a": [True] * 20})
    for number, damage in enumerate((b"{", b"{}", b'{"through": 1}')):
        store.put([Document(one.store.key, 100 + number, damage)])
        one.store.wait([waiting(Settled(900 + number, f"x{number}", "a", (), 0.0))])
        one.learn(NOW_MS)
        assert chance(one, "a") == pytest.approx(21 / 40)
        assert store.get([one.store.key]) == [damage]


def test_each_policy_and_reward_has_sums_of_its_own_and_exploring_otherwise_keeps_them(store: OnlineStore) -> None:
    learned(store, {"a": [True] * 20})
    bolder = learned(store, {}, dataclasses.replace(CONFIG, explore=0.5))
    assert chance(bolder, "a") == pytest.approx(21 / 40)
    for change in ({"policy": "linucb"}, {"reward_metric": "clicked"}, {"reward_direction": "lower"}):
        other = learned(store, {}, dataclasses.replace(CONFIG, **change))
        assert other.learning.version.endswith("-0")


@pytest.mark.parametrize("policy", ["thompson", "linucb", "greedy"])
def test_a_choice_is_one_of_the_offers_with_its_propensity(store: OnlineStore, policy: str) -> None:
    learning = learned(store, {"a": [True, False, True]}, dataclasses.replace(CONFIG, policy=policy))
    found = {learning.explorer(f"d-{n}", is_greedy=False)(WORTHS, {"frequency": 2.0}).first for n in range(200)}
    explored = learning.explorer("d", is_greedy=False)(WORTHS, {"frequency": 2.0})
    assert 0 < explored.propensity <= 1
    assert found == ({"a"} if policy == "greedy" else {"a", "b"})


def test_a_targeted_offer_is_chosen_and_every_other_has_a_chance_that_is_known(store: OnlineStore) -> None:
    policy = learned(store, {"a": [True] * 20}, UPLIFT)
    worths = {"a": 9.0, "b": 1.0, "c": 1.0}
    choices = [policy.explorer(f"d-{n}", TARGETED, is_greedy=False)(worths, {}) for n in range(6_000)]
    propensity = {choice.first: choice.propensity for choice in choices}
    assert propensity == pytest.approx({"a": 0.1, "b": 0.8, "c": 0.1})
    counts = Counter(choice.first for choice in choices)
    assert chisquare([counts[arm] for arm in worths], [6_000 * propensity[arm] for arm in worths]).pvalue > 0.001
    assert {choice.chosen_by for choice in choices} == {("uplift", "uplift-3")}
    assert {(choice.first, choice.reason) for choice in choices} == {
        ("a", "expected value"), ("b", "targeted"), ("c", "expected value"),
    }  # fmt: skip
    certain = policy.explorer("d", TARGETED, is_greedy=True)(worths, {})
    assert (certain.first, certain.propensity, certain.chosen_by) == ("b", 1.0, ("uplift", "uplift-3"))


@pytest.mark.parametrize(
    "profile",
    [None, person("ann", []), person("ann", [], targeted_offer="sold out", targeted_offer_model_version="3")],
    ids=["nobody", "no targeted offer", "no candidate"],
)
def test_without_a_targeted_offer_among_the_candidates_thompson_chooses(
    store: OnlineStore, profile: OnlineProfile | None
) -> None:
    counted = {"a": [True] * 20, "b": [False] * 20}
    policy = learned(store, counted, UPLIFT)
    thompson = learned(store, {}, dataclasses.replace(UPLIFT, policy="thompson"))  # the sums are the same
    for n in range(50):
        asked = (f"d-{n}", profile)
        assert policy.explorer(*asked, is_greedy=False)(WORTHS, {}) == thompson.explorer(*asked, is_greedy=False)(
            WORTHS, {}
        )
    assert policy.explorer("d", profile, is_greedy=False)(WORTHS, {}).chosen_by == ("thompson", "thompson-40")


def test_another_policy_asks_for_no_targeted_offer(store: OnlineStore) -> None:
    policy = learned(store, {"a": [True] * 20, "b": [False] * 20})
    assert policy.explorer("d", TARGETED, is_greedy=True)(WORTHS, {}).first == "a"

"""What any process counts all know, and a store that is away or damaged is not taken for one that is empty."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.bandits.learned import Settled
from lakehouse.config import ServingConfig, load
from lakehouse.learning.exposure import waiting
from lakehouse.learning.learned_store import FEATURES
from lakehouse.learning.reward import Outcome
from lakehouse.online.engines import open_store
from lakehouse.online.store import MOST, Document, OnlineStore
from serving.state.learned_policy import LearnedPolicy

CONFIG = load("dev", environ={}).serving
WORTHS = {"a": 1.0, "b": 1.0}
NOW_MS = 1_000_000


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
        assert policy.version == "thompson-80"


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
        assert other.version.endswith("-0")


@pytest.mark.parametrize("policy", ["thompson", "linucb", "greedy"])
def test_a_choice_is_one_of_the_offers_with_its_propensity(store: OnlineStore, policy: str) -> None:
    learning = learned(store, {"a": [True, False, True]}, dataclasses.replace(CONFIG, policy=policy))
    found = {learning.explorer(f"d-{n}", is_greedy=False)(WORTHS, {"frequency": 2.0}).first for n in range(200)}
    explored = learning.explorer("d", is_greedy=False)(WORTHS, {"frequency": 2.0})
    assert 0 < explored.propensity <= 1
    assert found == ({"a"} if policy == "greedy" else {"a", "b"})

"""What a process learns is kept, taken up after a restart, and shared with the others of the service."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.config import ServingConfig, load
from lakehouse.online.engines import open_store
from lakehouse.online.store import Document, OnlineStore
from serving.state.learned_policy import PREFIX, LearnedPolicy
from serving.visitors.pending import Pending

CONFIG = load("dev", environ={}).serving
WORTHS = {"a": 1.0, "b": 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = open_store(f"lmdb://{tmp_path}/online")
    yield opened
    opened.close()


def learned(
    store: OnlineStore, process: str, rewards: dict[str, list[float]], config: ServingConfig = CONFIG
) -> LearnedPolicy:
    """A process that has seen these outcomes and has put them into the store."""
    pending = Pending(store, keep=10)
    learning = LearnedPolicy(config, store, pending, process)
    learning.take(learning.read())
    for arm, values in rewards.items():
        for value in values:
            learning.observe(arm, learning.features({}), value)
    learning.keep(1)
    pending.close()
    return learning


def chance(policy: LearnedPolicy, arm: str) -> float:
    return policy.explorer("d", is_greedy=True)(WORTHS, {}).chances[arm]


def test_two_processes_know_what_either_has_seen(store: OnlineStore) -> None:
    one = learned(store, "one", {"a": [1.0] * 40})
    other = learned(store, "other", {"b": [0.0] * 40})
    assert chance(one, "b") == pytest.approx(0.05)  # nobody told it yet
    one.take(one.read())
    other.take(other.read())
    assert chance(one, "a") == pytest.approx(chance(other, "a")) == pytest.approx(41 / 60)
    assert chance(one, "b") == pytest.approx(chance(other, "b")) == pytest.approx(1 / 60)
    one.take(one.read())
    assert chance(one, "a") == pytest.approx(41 / 60)  # taken in twice, counted once


def test_after_a_restart_it_goes_on_where_it_was(store: OnlineStore) -> None:
    learned(store, "one", {"a": [1.0] * 20})
    again = LearnedPolicy(CONFIG, store, Pending(store, keep=10), "one")
    again.take(again.read())
    assert chance(again, "a") == pytest.approx(21 / 40)


def test_a_store_that_did_not_answer_at_the_start_is_not_taken_for_empty(store: OnlineStore) -> None:
    learned(store, "one", {"a": [1.0] * 20})
    pending = Pending(store, keep=10)
    again = LearnedPolicy(CONFIG, store, pending, "one")
    again.take(None)  # as `read` says of a store that does not answer
    again.observe("a", again.features({}), 1.0)
    again.keep(2)  # would write one outcome over twenty
    again.take(again.read())
    again.keep(3)
    pending.close()
    third = learned(store, "third", {})
    third.take(third.read())
    assert chance(third, "a") == pytest.approx(22 / 41)


def test_a_store_that_does_not_answer_says_nothing(store: OnlineStore) -> None:
    one = learned(store, "one", {"a": [1.0] * 20})
    store.close()
    assert one.read() is None


def test_the_sums_of_another_policy_are_left_out(store: OnlineStore) -> None:
    learned(store, "one", {"a": [1.0] * 20}, dataclasses.replace(CONFIG, policy="linucb"))
    other = learned(store, "other", {})
    assert other.read() == {}


def test_what_cannot_be_read_changes_nothing(store: OnlineStore) -> None:
    one = learned(store, "one", {"a": [1.0] * 20})
    store.put([Document(PREFIX + "broken", 1, b"{}")])
    one.take(one.read())
    assert chance(one, "a") == pytest.approx(21 / 40)


@pytest.mark.parametrize("policy", ["thompson", "linucb", "greedy"])
def test_a_choice_is_one_of_the_offers_with_its_propensity(store: OnlineStore, policy: str) -> None:
    learning = learned(store, "one", {"a": [1.0, 0.0, 1.0]}, dataclasses.replace(CONFIG, policy=policy))
    found = {learning.explorer(f"d-{n}", is_greedy=False)(WORTHS, {"frequency": 2.0}).first for n in range(200)}
    explored = learning.explorer("d", is_greedy=False)(WORTHS, {"frequency": 2.0})
    assert 0 < explored.propensity <= 1
    assert found == ({"a"} if policy == "greedy" else {"a", "b"})

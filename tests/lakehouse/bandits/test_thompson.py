import math

import pytest

from lakehouse.bandits.thompson import Tally, choose

WORTHS = {"a": 1.0, "b": 1.0}


def chance(tallies: dict[str, Tally], worths: dict[str, float], arm: str) -> float:
    """The propensity of an arm, from some decision that chose it."""
    for number in range(2_000):
        choice = choose(tallies, worths, explore=0.02, decision_id=f"{number}", seed=7)
        if choice.arm == arm:
            return choice.propensity
    raise AssertionError(f"{arm} is never chosen")


def test_what_has_done_better_is_likelier_and_nothing_is_ruled_out() -> None:
    tallies = {"a": Tally(1_000, 100), "b": Tally(1_000, 20)}
    assert chance(tallies, WORTHS, "a") == pytest.approx(0.99, abs=0.001)
    assert chance(tallies, WORTHS, "b") == pytest.approx(0.01, abs=0.001)
    assert chance({}, WORTHS, "a") == pytest.approx(0.5)


def test_worth_may_outweigh_chance() -> None:
    tallies = {"a": Tally(1_000, 100), "b": Tally(1_000, 20)}
    assert chance(tallies, {"a": 1.0, "b": 20.0}, "b") > 0.98


def test_propensity_follows_from_the_state_alone() -> None:
    tallies = {"a": Tally(50, 4), "b": Tally(60, 6)}
    asked = [choose(tallies, WORTHS, explore=0.05, decision_id=f"{number}", seed=3) for number in range(200)]
    assert len({(choice.arm, choice.propensity) for choice in asked}) == 2
    turned = choose(tallies, {"b": 1.0, "a": 1.0}, explore=0.05, decision_id="17", seed=3)
    assert turned == asked[17]
    assert turned.expected == pytest.approx({"a": 5 / 70, "b": 7 / 80})


@pytest.mark.parametrize("reward", [-0.1, 1.1, math.nan, math.inf])
def test_what_is_no_reward_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1"):
        Tally().observed(reward)

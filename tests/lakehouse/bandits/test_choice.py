import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from lakehouse.bandits.choice import drawn, luck, odds_of, preferred

ARMS, ODDS = ("a", "b", "c"), odds_of((0.7, 0.3, 0.0), 0.1)


def test_an_arm_is_chosen_as_often_as_its_propensity_says() -> None:
    choices = [drawn(ARMS, ODDS, {}, luck(f"d{number}", 7)) for number in range(20_000)]
    propensity = {choice.arm: choice.propensity for choice in choices}
    assert propensity == pytest.approx({"a": 0.63 + 0.1 / 3, "b": 0.27 + 0.1 / 3, "c": 0.1 / 3})
    found = [sum(choice.arm == arm for choice in choices) for arm in ARMS]
    assert chisquare(found, [20_000 * propensity[arm] for arm in ARMS]).pvalue > 0.001


def test_the_same_decision_has_the_same_luck_and_others_have_even_luck() -> None:
    many = [luck(f"d{number}", 7) for number in range(5_000)]
    assert many == [luck(f"d{number}", 7) for number in range(5_000)]
    assert kstest(many, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(many, [luck(f"d{number}", 8) for number in range(5_000)])[0, 1]) < 0.05
    assert 0 <= luck("\ud800 lone surrogate", 7) < 1


def test_the_last_grain_of_luck_falls_on_an_arm() -> None:
    assert drawn(ARMS, ODDS, {}, 1 - 2**-53).arm == "c"
    assert drawn(ARMS, ODDS, {}, 0.0).arm == "a"


def test_what_is_preferred_leaves_every_arm_its_chance() -> None:
    expected = {"c": 0.9, "a": 0.1, "b": 0.5}
    propensity = {one.arm: one.propensity for one in (preferred("a", expected, 0.3, n / 100) for n in range(100))}
    assert propensity == pytest.approx({"a": 0.8, "b": 0.1, "c": 0.1})
    assert preferred("a", {"a": 0.1}, 0.3, 0.5).propensity == 1.0

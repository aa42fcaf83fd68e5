"""What is planned comes true: experiments of the planned size find the planned difference as often as planned."""

import numpy as np
import pytest
from scipy import stats

from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.power import Design, detectable, people_needed
from lakehouse.experiments.sample_statistics import moments
from lakehouse.experiments.sequential import sequential


@pytest.mark.parametrize("always_valid", [False, True])
def test_the_planned_difference_is_found_as_often_as_planned(always_valid: bool) -> None:
    rng, people, runs = np.random.default_rng(1), 2000, 600
    lift = detectable(Design(), 8.0, people, always_valid=always_valid)
    found = 0
    for _ in range(runs):
        baseline, arm = (moments(rng.gamma(2, 2, people) + add) for add in (0, lift))
        answer = (sequential if always_valid else fixed)(arm, baseline, alpha=0.05)
        found += answer.p < 0.05
    assert found / runs == pytest.approx(0.8, abs=0.05)  # three standard errors


def test_looking_once_at_two_arms_is_the_textbooks() -> None:
    by_hand = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * np.sqrt(2 * 9.0 / 500)
    assert detectable(Design(), 9.0, 500, always_valid=False) == pytest.approx(by_hand)


@pytest.mark.parametrize("always_valid", [False, True])
@pytest.mark.parametrize("design", [Design(), Design(arms=4, primary=2, power=0.9)])
def test_the_people_needed_are_the_fewest(design: Design, always_valid: bool) -> None:
    people = people_needed(design, 4.0, 0.1, always_valid=always_valid)
    assert detectable(design, 4.0, people, always_valid=always_valid) <= 0.1
    assert detectable(design, 4.0, people - 1, always_valid=always_valid) > 0.1


def test_more_questions_and_free_looks_cost_people() -> None:
    needed = [
        people_needed(design, 4.0, 0.1, always_valid=sure)
        for design, sure in ((Design(), False), (Design(primary=3), False), (Design(primary=3), True))
    ]
    assert needed == sorted(needed)
    with pytest.raises(ValueError, match="expected one above 0"):
        people_needed(Design(), 4.0, 0.0, always_valid=False)

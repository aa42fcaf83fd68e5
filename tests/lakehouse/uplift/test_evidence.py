"""Bounds worked out by hand, and as often right as they say."""

import math

import numpy as np
import pytest

from lakehouse.targeting.response_model import People, ResponseModel
from lakehouse.uplift.chain import FIRST_JUDGED, Chain, LoggedArms
from lakehouse.uplift.evidence import gain_over, mean, standard_error

NOTHING = ResponseModel(constant=np.zeros(1), pairs=(), weights=np.zeros((0, 1)), trees=())


def log_and_chain(
    scores: np.ndarray, choice: np.ndarray, part: np.ndarray, arm: np.ndarray, reward: np.ndarray | None = None
) -> tuple[LoggedArms, Chain]:
    rows, arms = scores.shape
    log = LoggedArms(
        people=People(line=np.zeros((rows, 0)), codes=np.zeros((rows, 0), np.uint8)),
        arm=arm,
        reward=np.arange(rows, dtype=float) if reward is None else reward,
        propensity=np.full(rows, 0.5),
        person=np.arange(rows),
        part=part,
        cost=np.zeros(arms),
    )
    return log, Chain(scores=scores, effects=np.eye(arms)[choice], model=NOTHING, shares=np.zeros(0))


def test_rows_of_a_person_are_one_draw() -> None:
    values, person = np.random.default_rng(1).normal(size=200), np.arange(200)
    assert standard_error(values, person) == pytest.approx(values.std() / math.sqrt(200))
    twice = standard_error(np.repeat(values, 2), np.repeat(person, 2))
    assert twice == pytest.approx(standard_error(values, person))  # nothing is known better for being told twice


def test_a_mean_of_few_says_nothing() -> None:
    assert mean(np.ones(49), np.arange(49), 0.05).low == -math.inf
    assert mean(np.ones(50), np.arange(50), 0.05).low == 1.0
    assert math.isnan(mean(np.ones(0), np.arange(0), 0.05).value)


def test_the_gain_is_the_parts_means_weighted_by_what_they_are_wide() -> None:
    rng, rows = np.random.default_rng(2), 1000
    part = np.repeat([FIRST_JUDGED, FIRST_JUDGED + 1], rows // 2)
    scores = rng.normal(size=(rows, 2)) * np.where(part == FIRST_JUDGED, 1.0, 3.0)[:, None]
    choice = np.ones(rows, dtype=int)
    found = gain_over(*log_and_chain(scores, choice, part, rng.integers(0, 2, rows)), 0, 0.05)
    gains = scores[:, 1] - scores[:, 0]
    halves = [gains[:500], gains[500:]]
    weights = [math.sqrt(500) / (half.std() / math.sqrt(500)) for half in halves]
    value = sum(weight * half.mean() for weight, half in zip(weights, halves, strict=True)) / sum(weights)
    assert found.value == pytest.approx(value)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(1000) / sum(weights), rel=1e-6)


def test_where_the_policy_is_the_blanket_action_nothing_is_gained_and_nothing_shown() -> None:
    rows = 400
    part, arm = np.full(rows, FIRST_JUDGED), np.arange(rows) % 2
    scores = np.random.default_rng(3).normal([0.0, 9.0], size=(rows, 2))
    found = gain_over(*log_and_chain(scores, np.ones(rows, dtype=int), part, arm), 1, 0.05)
    assert (found.value, found.low) == (0.0, -math.inf)


@pytest.mark.parametrize(("events", "is_shown"), [(15, False), (40, True)])
def test_rewards_that_are_too_rare_show_nothing(events: int, is_shown: bool) -> None:
    rows = 2000
    part, arm = np.full(rows, FIRST_JUDGED), np.arange(rows) % 2
    reward = np.zeros(rows)
    reward[np.r_[np.flatnonzero(arm == 0)[:events], np.flatnonzero(arm == 1)[: 5 * events]]] = 1.0
    scores = np.where(arm[:, None] == np.arange(2), 2 * reward[:, None], 0.0)
    found = gain_over(*log_and_chain(scores, np.ones(rows, dtype=int), part, arm, reward), 0, 0.05)
    assert (found.low > 0) == is_shown


def test_the_truth_is_below_the_bound_as_seldom_as_it_says() -> None:
    """A policy that learned from the luck of the part before: no arm is better, and 2.5 % of bounds lie above 0."""
    rng, runs, rows, above = np.random.default_rng(4), 2000, 400, 0
    part, arm = np.repeat(range(FIRST_JUDGED, FIRST_JUDGED + 4), rows // 4), np.arange(rows) % 2
    for _ in range(runs):
        scores = rng.normal(size=(rows, 2))
        means = np.array([scores[part == one].mean(axis=0) for one in np.unique(part)])
        lucky = np.r_[rng.integers(0, 2), means[:-1].argmax(axis=1)]  # of the part before
        choice = lucky[part - FIRST_JUDGED]
        above += gain_over(*log_and_chain(scores, choice, part, arm), 0, 0.05).low > 0
    assert above / runs < 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)

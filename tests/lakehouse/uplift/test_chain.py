"""Learning forwards: nothing of a row is in what it is judged by."""

from dataclasses import replace

import numpy as np
import pytest

from lakehouse.targeting.contrasts import contrasts
from lakehouse.uplift.chain import ENDS, FIRST_JUDGED, LoggedArms, chain, part_of
from lakehouse.uplift.learned_encoding import encoding_of
from tests.lakehouse.uplift.worlds import World, world


def logged(known: World, seed: int = 0, rows_per_person: int = 1) -> LoggedArms:
    rng = np.random.default_rng(seed)
    rows, arms = known.means.shape
    person = np.arange(rows) // rows_per_person
    arm = known.drawn(rng)
    return LoggedArms(
        people=encoding_of(known.features).people(known.features),
        arm=arm,
        reward=known.means[np.arange(rows), arm] + rng.normal(size=rows),
        propensity=known.chances[np.arange(rows), arm],
        person=person,
        part=part_of([f"p{one}" for one in person]),
        cost=np.zeros(arms),
    )


@pytest.fixture(scope="module")
def log() -> LoggedArms:
    return logged(world("step", 3000, np.random.default_rng(5)))


@pytest.mark.parametrize("part", [FIRST_JUDGED, len(ENDS) - 1])
def test_what_comes_later_changes_no_score_and_no_choice_of_what_was_before(log: LoggedArms, part: int) -> None:
    later = log.part >= part
    other = replace(log, reward=np.where(later, 50 - 3 * log.reward, log.reward))
    one, two = chain(log), chain(other)
    np.testing.assert_array_equal(one.scores[~later], two.scores[~later])
    np.testing.assert_array_equal(
        one.effects[log.part <= part], two.effects[log.part <= part]
    )  # its own rewards not either
    assert not np.allclose(one.scores[later], two.scores[later])


def test_a_person_is_in_one_part_and_parts_are_as_large_as_they_say() -> None:
    units = [f"u{n % 20_000}" for n in range(40_000)]
    part = part_of(units)
    np.testing.assert_array_equal(part[:20_000], part[20_000:])
    np.testing.assert_allclose(np.bincount(part) / len(part), np.diff([0.0, *ENDS]), atol=0.01)


def test_scores_average_to_the_truth_of_every_arm_under_confounded_chances() -> None:
    known = world("linear", 20_000, np.random.default_rng(1))
    log = logged(known)
    found = chain(log).scores
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - known.means.mean(axis=0)) < 4 * error).all()
    naive = np.array([log.reward[log.arm == arm].mean() for arm in range(3)])
    assert (np.abs(naive - known.means.mean(axis=0)) > 4 * error).any()  # which is why chances are needed


def test_effects_are_those_that_are_there() -> None:
    known = world("linear", 20_000, np.random.default_rng(2))
    log = logged(known)
    found = chain(log)
    foretold = found.model.of(log.people) @ contrasts(3).T
    truth = known.means - known.means.mean(axis=1, keepdims=True)
    assert ((foretold - truth) ** 2).mean() < 0.1 * (truth**2).mean()
    assert (found.choice[~found.is_judged] == -1).all()
    assert set(np.unique(log.part[found.is_judged])) == set(range(FIRST_JUDGED, len(ENDS)))


def test_a_cost_is_taken_off_scores_and_choices(log: LoggedArms) -> None:
    free, dear = chain(log), chain(replace(log, cost=np.array([0.0, 0.5, 100.0])))
    np.testing.assert_allclose(free.scores - dear.scores, np.tile([0.0, 0.5, 100.0], (len(log), 1)))
    assert 2 in free.choice
    assert 2 not in dear.choice

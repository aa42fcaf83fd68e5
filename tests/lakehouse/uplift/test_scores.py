"""Doubly robust scores: right on average whatever is expected, worked out arm by arm."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.uplift.scores import scores

numbers = st.floats(-100, 100)


@given(st.lists(st.tuples(numbers, numbers, st.floats(0.05, 1.0)), min_size=2, max_size=5))
def test_the_mean_over_all_that_chance_could_have_done_is_the_truth_whatever_is_expected(
    arms: list[tuple[float, float, float]],
) -> None:
    truth, expected, weight = map(np.array, zip(*arms, strict=True))
    chance = weight / weight.sum()
    each = range(len(arms))
    found = scores(truth, np.array(each), chance, np.tile(expected, (len(arms), 1)))  # row a: arm a was done
    np.testing.assert_allclose(chance @ found, truth, atol=1e-9)


def test_a_model_that_is_wrong_is_paid_for_with_noise_alone() -> None:
    rng, rows = np.random.default_rng(3), 40_000
    chance, truth = np.array([0.7, 0.3]), np.array([1.0, 1.5])
    arm = (rng.random(rows) < chance[1]).astype(int)
    reward = truth[arm] + rng.normal(size=rows)
    right, wrong = (
        scores(reward, arm, chance[arm], np.tile(expected, (rows, 1))) for expected in (truth, np.array([9.0, -4.0]))
    )
    for found in (right, wrong):
        assert (np.abs(found.mean(axis=0) - truth) < 4 * found.std(axis=0) / np.sqrt(rows)).all()
    assert (wrong.std(axis=0) > 2 * right.std(axis=0)).all()


def test_another_arm_leaves_what_is_expected() -> None:
    found = scores(np.array([5.0]), np.array([-1]), np.array([0.2]), np.array([[1.0, 2.0]]))
    assert found.tolist() == [[1.0, 2.0]]

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.bandits.best import chances_of_best


@pytest.mark.parametrize(
    ("alpha", "beta", "worths"),
    [
        ([1, 1, 1], [19, 19, 19], [1, 1, 1]),
        ([3, 8, 2], [60, 90, 19], [1, 1, 1]),
        ([500, 3], [9500, 40], [1, 1]),  # known to a thousandth beside hardly known at all
        ([20, 4, 1], [400, 40, 19], [1, 5, 20]),
        ([1, 2], [1, 1], [1, 1]),
    ],
)
def test_as_often_as_in_a_million_draws(alpha: list[int], beta: list[int], worths: list[int]) -> None:
    drawn = np.random.default_rng(3).beta(alpha, beta, size=(400_000, len(alpha))) * worths
    often = np.bincount(drawn.argmax(axis=1), minlength=len(alpha)) / len(drawn)
    found = chances_of_best(np.array(alpha, float), np.array(beta, float), np.array(worths, float))
    assert found == pytest.approx(often, abs=0.01)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e5), st.floats(1, 1e6), st.floats(0, 1e4)), min_size=1, max_size=8))
def test_always_probabilities(arms: list[tuple[float, float, float]]) -> None:
    alpha, beta, worths = (np.array(column) for column in zip(*arms, strict=True))
    found = chances_of_best(alpha, beta, worths)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0)


def test_arms_alike_are_alike_and_one_arm_is_the_best() -> None:
    assert chances_of_best(np.full(5, 2.0), np.full(5, 30.0), np.ones(5)) == pytest.approx(np.full(5, 0.2))
    assert chances_of_best(np.ones(1), np.ones(1), np.zeros(1)) == [1.0]
    assert chances_of_best(np.full(2, 9.0), np.full(2, 9.0), np.array([0.0, 1.0])) == pytest.approx(
        [0.0, 1.0], abs=1e-6
    )

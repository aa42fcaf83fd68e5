"""What lists are like, against figures worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.recommend.variety import gini, variety
from tests.lakehouse.recommend.shops import by_hand


def at(*positions: int) -> np.ndarray:
    return np.array(positions, dtype=np.intp)


def test_two_lists_of_a_shop_of_eight() -> None:
    """kettle, toaster, mug | novel, atlas | kite, train | lamp, which has no category; most popular first."""
    found = variety(by_hand(), [at(0, 1, 3), at(0, 7)], [at(7), at(6)])
    assert found.coverage == 4 / 8
    assert found.diversity == pytest.approx(
        2 / 3
    )  # kettle - novel and toaster - novel; the second list has one category
    assert found.popularity == pytest.approx(np.mean([1, 6 / 7, 4 / 7, 1, 0]))
    assert found.wanted_popularity == pytest.approx(np.mean([0, 1 / 7]))
    assert variety(by_hand(), [at(7)], [at(0)]).diversity is None
    halved = by_hand(is_available=np.arange(8) < 4)
    assert variety(halved, [at(0, 1)], [at(0)]).coverage == 2 / 4


def test_gini_of_all_alike_and_of_one_that_has_all() -> None:
    assert gini(np.array([3, 3, 3, 3])) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any))
def test_gini_is_half_the_mean_difference_by_the_mean(counts: list[int]) -> None:
    values = np.array(counts)
    expected = np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())
    assert gini(values) == pytest.approx(expected, abs=1e-12)

import numpy as np
import pandas as pd

from lakehouse.drift.bins import binned


def test_numbers_are_cut_at_the_references_hundredths_and_tenths() -> None:
    found = binned(pd.Series(np.arange(1000.0)), pd.Series([-5.0, 0.0, 999.0, 5000.0]))
    assert found.reference[:-1].tolist() == [10] * 99 + [10]
    assert (found.now[0], found.now[99], found.now[-1]) == (2, 2, 0)
    assert np.bincount(found.coarse, weights=found.reference).tolist() == [100] * 10 + [0]
    assert found.is_ordered


def test_equal_values_share_a_bin_however_many_they_are() -> None:
    found = binned(pd.Series([0.0] * 900 + list(range(1, 101))), pd.Series([0.0, 0.0, 50.0]))
    assert found.reference[0] == 900
    assert found.now[0] == 2
    assert found.rows == (1000, 3)


def test_what_is_missing_or_endless_is_a_bin_of_its_own() -> None:
    found = binned(pd.Series([1.0, 2.0, np.nan]), pd.Series([np.inf, np.nan, 1.0]))
    assert (found.reference[-1], found.now[-1]) == (1, 2)
    assert (found.coarse[-1] > found.coarse[:-1]).all()


def test_one_value_only_and_none_at_all() -> None:
    assert binned(pd.Series([3.0] * 5), pd.Series([3.0, 4.0])).now.sum() == 2
    nothing = binned(pd.Series([np.nan] * 5, dtype=float), pd.Series([1.0]))
    assert nothing.rows == (5, 1)


def test_a_new_category_and_a_missing_one_are_counted() -> None:
    found = binned(pd.Series(["a", "b", None], dtype="object"), pd.Series(["b", "c"], dtype="object"))
    assert found.reference.tolist() == [1, 1, 1, 0]  # missing, a, b, c
    assert found.now.tolist() == [0, 0, 1, 1]
    assert not found.is_ordered


def test_truth_values_are_categories() -> None:
    assert not binned(pd.Series([True, False]), pd.Series([True])).is_ordered

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from lakehouse.drift.bins import Binned, binned
from lakehouse.drift.shift import shift

SEED = 7


def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def test_psi_and_ks_by_hand() -> None:
    counts = Binned(
        reference=np.array([50, 50, 0]), now=np.array([80, 20, 0]), coarse=np.array([0, 1, 2]), is_ordered=True
    )
    found = shift(counts, rng())
    old, new = np.array([50.5, 50.5]) / 101, np.array([80.5, 20.5]) / 101
    assert found.psi == pytest.approx(((new - old) * np.log(new / old)).sum())
    assert found.ks == pytest.approx(0.3)
    assert found.p == pytest.approx(2 / 2001)  # none of 2,000 draws was so far off


def test_ks_is_scipys_to_the_width_of_a_bin() -> None:
    random = rng()
    old, new = random.normal(0, 1, 4000), random.normal(0.3, 1.2, 3000)
    found = shift(binned(pd.Series(old), pd.Series(new)), random)
    assert found.ks == pytest.approx(ks_2samp(old, new).statistic, abs=0.01)


def test_p_is_that_of_the_permutation_test_of_rows() -> None:
    """The same statistic with the rows themselves permuted, not their counts."""
    random = np.random.default_rng(3)
    old, new = random.normal(0, 1, 300), random.normal(0.25, 1, 200)
    counts = binned(pd.Series(old), pd.Series(new))
    edges = np.unique(np.quantile(old, np.linspace(0, 1, 101)[1:-1], method="lower"))
    places = np.searchsorted(edges, np.concatenate([old, new]), side="left")

    def ks(order: np.ndarray) -> float:
        one, other = (
            np.cumsum(np.bincount(places[rows], minlength=len(edges) + 1)) / len(rows)
            for rows in (order[:300], order[300:])
        )
        return float(np.abs(one - other).max())

    by_chance = [ks(random.permutation(500)) for _ in range(2000)]
    p_ks = np.mean(np.array(by_chance) >= ks(np.arange(500)))
    assert shift(counts, random).p <= 2 * p_ks + 0.02
    assert p_ks < 0.2


@pytest.mark.parametrize("kind", ["normal", "counts", "categories"])
def test_where_nothing_changed_p_is_small_no_more_often_than_it_says(kind: str) -> None:
    random, found = rng(), []
    for _ in range(200):
        both = {
            "normal": lambda: random.normal(size=600),
            "counts": lambda: random.poisson(0.3, 600).astype(float),
            "categories": lambda: random.choice(["a", "b", "c"], 600, p=[0.7, 0.2, 0.1]),
        }[kind]()
        found.append(shift(binned(pd.Series(both[:400]), pd.Series(both[400:])), random, permutations=400).p)
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(np.array(found) <= 0.2) > 0.02  # and it is no test that never fires


def test_a_feature_that_stopped_coming_is_far_off() -> None:
    found = shift(binned(pd.Series(np.arange(500.0)), pd.Series([np.nan] * 500)), rng())
    assert found.psi > 1
    assert found.p < 0.01


def test_nobody_on_one_side_is_refused() -> None:
    with pytest.raises(ValueError, match="expected some of each"):
        shift(binned(pd.Series([1.0]), pd.Series([], dtype=float)), rng())

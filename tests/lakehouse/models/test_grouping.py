"""One rule of least cost for every kind of groups; scikit-learn is the oracle of what it says."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from lakehouse.models.grouping import BISECTING, KMEANS, LEARNED, MIXTURE, Group, Grouping


@pytest.mark.parametrize("kind", LEARNED)
def test_blobs_that_are_far_apart_are_found(kind: str) -> None:
    points, truth = make_blobs(300, centers=4, center_box=(-30, 30), random_state=3)
    found = LEARNED[kind](points, 4, 7)
    assert (found.kind, len(found.groups)) == (kind, 4)
    assert adjusted_rand_score(truth, found.labels(points)) == 1.0
    assert found == LEARNED[kind](points, 4, 7)


def stretched() -> tuple[np.ndarray, np.ndarray]:
    """Two long and thin groups beside each other, one five times as large."""
    random = np.random.default_rng(5)
    points = np.concatenate(
        [random.normal(0, 1, (500, 3)) * (8, 0.3, 1), random.normal(0, 1, (100, 3)) * (8, 0.3, 1) + (0, 3, 0)]
    )
    return points, np.repeat([0, 1], (500, 100))


def test_a_mixture_knows_shapes_and_sizes_and_says_what_scikit_learn_says() -> None:
    points, truth = stretched()
    found = LEARNED[MIXTURE](points, 2, 7)
    assert adjusted_rand_score(truth, found.labels(points)) > 0.95
    assert (
        max(adjusted_rand_score(truth, LEARNED[kind](points, 2, 7).labels(points)) for kind in (KMEANS, BISECTING))
        < 0.2
    )
    oracle = GaussianMixture(2, reg_covar=1e-3, max_iter=60, random_state=7).fit(points)
    others = np.random.default_rng(6).normal(0, 3, (400, 3))
    assert np.array_equal(found.labels(others), oracle.predict(others))
    assert sorted(found.weights) == pytest.approx([1 / 6, 5 / 6], abs=0.02)


def test_of_several_of_least_cost_the_first_is_taken() -> None:
    same = Group(centre=(1.0, 1.0))
    points = np.array([[1.0, 1.0], [4.0, 4.0]])
    assert Grouping(kind=KMEANS, groups=(same, same, Group(centre=(5.0, 5.0)))).labels(points).tolist() == [0, 2]
    dearer = Group(centre=(5.0, 5.0), offset=17.0)
    assert Grouping(kind=KMEANS, groups=(same, dearer)).labels(points).tolist() == [0, 0]

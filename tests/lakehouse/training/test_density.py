"""Dense groups that are planted are found, and what lies between them is in none; scikit-learn is the oracle of agreement."""

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from lakehouse.training.density import SAMPLE, density


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Three dense groups of 100, and 60 rows anywhere."""
    random = np.random.default_rng(3)
    centres = np.repeat([[-4.0, 0, 0], [0, 4.0, 0], [4.0, 0, 0]], 100, axis=0)
    points = np.concatenate([centres + random.normal(0, 0.2, (300, 3)), random.uniform(-6, 6, (60, 3))])
    order = random.permutation(len(points))
    return points[order], np.repeat([0, 1, 2, 1], (100, 100, 100, 60))[order]


def test_planted_groups_are_found_and_agree_with_segments_as_scikit_learn_says() -> None:
    points, labels = planted()
    told = density(points, labels)
    assert (told.rows, told.groups) == (360, 3)
    assert 0.1 < told.noise < 0.17
    found = HDBSCAN(min_cluster_size=10, copy=True).fit(points).labels_
    assert told.noise == pytest.approx((found < 0).mean(), abs=1e-12)
    assert told.agreement == pytest.approx(adjusted_rand_score(found[found >= 0], labels[found >= 0]), abs=1e-12)
    assert told.metrics() == {
        "density_groups": 3.0, "density_noise": told.noise, "density_adjusted_rand": told.agreement
    }  # fmt: skip
    halved = density(points, labels % 2)  # two of three groups are one segment
    assert halved.agreement is not None
    assert halved.agreement < 0.7 < 0.9 < (told.agreement or 0)
    assert "3 groups, " in told.line()


def test_where_there_are_no_two_groups_there_is_nothing_to_compare() -> None:
    alone = density(np.random.default_rng(1).normal(0, 1, (12, 3)), np.zeros(12, np.int_))
    assert (alone.groups, alone.noise, alone.agreement) == (0, 1.0, None)
    assert "density_adjusted_rand" not in alone.metrics()
    assert "nothing to compare" in alone.line()


def test_many_rows_that_are_one_and_the_same_are_no_fault_and_no_more_than_the_sample_is_looked_at() -> None:
    random = np.random.default_rng(2)
    points = np.repeat(random.normal(0, 1, (4, 3)), SAMPLE, axis=0)[random.permutation(4 * SAMPLE)]
    labels = np.unique(points[:, 0], return_inverse=True)[1]
    told = density(points, labels)
    assert (told.rows, told.groups, told.noise, told.agreement) == (SAMPLE, 4, 0.0, 1.0)

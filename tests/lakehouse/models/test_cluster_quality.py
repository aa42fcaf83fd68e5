import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score

from lakehouse.models.cluster_quality import adjusted_rand, davies_bouldin, silhouette, stability
from lakehouse.models.grouping import KMEANS, labels_by


def blobs(seed: int, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    points, labels = make_blobs(300, centers=4, cluster_std=1.0, center_box=(-8 * apart, 8 * apart), random_state=seed)
    return points, labels


@pytest.mark.parametrize("seed", range(5))
def test_davies_bouldin_is_scikit_learns(seed: int) -> None:
    points, labels = blobs(seed)
    assert davies_bouldin(points, labels * 3) == pytest.approx(davies_bouldin_score(points, labels), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_silhouette_is_scikit_learns_also_of_who_is_alone_and_where_many_are_alike(seed: int) -> None:
    points, labels = blobs(seed)
    labels[0] = 7
    points[5:20] = points[5]
    expected = silhouette_score(points, labels, metric="sqeuclidean")
    assert silhouette(points, labels) == pytest.approx(expected, abs=1e-9)
    assert silhouette(np.zeros((4, 2)), np.array([0, 0, 1, 1])) == 0


def test_one_cluster_is_refused() -> None:
    for figure in (davies_bouldin, silhouette):
        with pytest.raises(ValueError, match="got 1 clusters"):
            figure(np.zeros((3, 2)), np.zeros(3, dtype=int))


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_rand_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    one = random.integers(0, 4, 200)
    other = np.where(random.random(200) < 0.6, one, random.integers(0, 6, 200))
    assert adjusted_rand(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)
    assert adjusted_rand(one, (one + 1) % 4) == 1
    assert adjusted_rand(np.zeros(5, dtype=int), np.zeros(5, dtype=int)) == 1


def test_true_clusters_are_steady_and_those_of_noise_are_not() -> None:
    points, _ = blobs(3, apart=2.0)
    assert stability(points, 4, 7, labels_by(KMEANS)) > 0.95
    noise = np.random.default_rng(1).normal(size=(300, 2))
    assert stability(noise, 7, 7, labels_by(KMEANS)) < 0.8
    assert stability(noise, 7, 7, labels_by(KMEANS)) == stability(noise, 7, 7, labels_by(KMEANS))

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array
from sklearn.metrics.pairwise import cosine_similarity

from lakehouse.recommend.model import NOBODY
from lakehouse.recommend.neighbours import neighbours, stacked


def test_without_shrinkage_it_is_the_cosine() -> None:
    rows = csr_matrix(random_array((40, 12), density=0.3, rng=np.random.default_rng(3)))
    found = neighbours(rows, shrink=0.0, kept=12)
    expected = cosine_similarity(rows.T)
    np.fill_diagonal(expected, 0)
    for product in range(12):
        held = {
            int(other): score
            for other, score in zip(found.ids[product], found.scores[product], strict=True)
            if other >= 0
        }
        assert held == pytest.approx(
            {other: score for other, score in enumerate(expected[product]) if score > 0}, abs=1e-6
        )
        assert list(found.scores[product]) == sorted(found.scores[product], reverse=True)


def test_shrinkage_draws_what_met_once_below_what_met_often() -> None:
    rows = csr_matrix(np.array([[1, 1, 0, 0]] * 6 + [[1, 0, 0, 0]] + [[0, 0, 1, 1]], dtype=float))
    plain, shrunk = (neighbours(rows, shrink=shrink, kept=1) for shrink in (0.0, 5.0))
    assert plain.scores[2, 0] > plain.scores[0, 0]
    assert shrunk.scores[2, 0] < shrunk.scores[0, 0]


def test_only_the_strongest_stay_the_first_of_equals() -> None:
    rows = csr_matrix(np.array([[1, 1, 1, 1, 0]], dtype=float))
    found = neighbours(rows, shrink=1.0, kept=2)
    assert found.ids.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [NOBODY, NOBODY]]


def test_complements_are_apart_and_met_often_enough() -> None:
    rows = csr_matrix(np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 1]], dtype=float))
    found = neighbours(rows, shrink=1.0, kept=3, apart=np.array([0, 0, 1, -1], dtype=np.int32), least=2)
    assert found.ids[0].tolist() == [2, NOBODY, NOBODY]  # 1 is of its category, 3 was met once
    nowhere = neighbours(rows, shrink=1.0, kept=3, apart=np.full(4, -1, dtype=np.int32), least=2)
    assert nowhere.ids[0].tolist() == [1, 2, NOBODY]  # unknown categories are not the same


def test_sessions_count_as_baskets_of_their_own_weight() -> None:
    profiles, sessions = csr_matrix(np.array([[1.0, 1.0]])), csr_matrix(np.array([[1.0, 1.0], [0.0, 1.0]]))
    both = stacked(profiles, sessions, 2.0)
    assert (both.T @ both).toarray() == pytest.approx(np.array([[3.0, 3.0], [3.0, 5.0]]))
    assert stacked(profiles, sessions, 0.0) is profiles

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from lakehouse.recommend.ranking import best, ndcg, recall


@given(
    st.lists(st.sampled_from([-math.inf, 0.0, 0.25, 0.5, 1.0]), max_size=30),
    st.integers(0, 400),
    st.randoms(use_true_random=False),
    st.integers(-1, 90),
)
def test_the_best_are_those_a_full_sort_finds(few: list[float], more: int, chance: random.Random, count: int) -> None:
    """Short lists, and such as are looked through in blocks; with many equal scores and with none."""
    scores = [*few, *(round(chance.random(), chance.choice([1, 6])) for _ in range(more))]
    expected = [
        one for one in sorted(range(len(scores)), key=lambda one: (-scores[one], one)) if scores[one] > -math.inf
    ]
    assert best(np.array(scores), count).tolist() == expected[: max(count, 0)]


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1), st.integers(1, 12))
def test_ndcg_is_scikit_learns_and_recall_counts(order: list[int], relevant: set[int], k: int) -> None:
    truth = [[float(one in relevant) for one in range(12)]]
    scores = [[-float(order.index(one)) for one in range(12)]]
    ranked, wanted = np.array(order), np.array(sorted(relevant))
    assert ndcg(ranked, wanted, k) == pytest.approx(ndcg_score(truth, scores, k=k))
    assert recall(ranked, wanted, k) == len(relevant & set(order[:k])) / min(k, len(relevant))

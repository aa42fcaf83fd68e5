"""How many segments: on points whose groups are planted, and on those that have none."""

import dataclasses

import numpy as np
import pytest

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.models.grouping import KMEANS, LEARNED, MIXTURE
from lakehouse.training.segment_count import Quality, best, choose

SETTINGS = load("dev", environ={}).segments


def planted(groups: int, apart: float) -> np.ndarray:
    """Ten, twenty, ... points around each of some centres in a row."""
    random = np.random.default_rng(3)
    return np.concatenate(
        [random.normal([apart * number, 0, 0], 1.0, (10 * (number + 1), 3)) for number in range(groups)]
    )


def test_as_many_as_were_planted_are_found_and_told() -> None:
    found = choose(planted(4, apart=10.0), dataclasses.replace(SETTINGS, max_k=6))
    assert (found.grouping.kind, found.k, found.chosen.stability[4]) == (KMEANS, 4, 1.0)
    assert set(found.tried) == set(LEARNED)
    assert found.tried[MIXTURE].silhouettes[4] == found.chosen.silhouettes[4], "the plainest is taken"
    every = set(range(SETTINGS.min_k, 7))
    assert set(found.chosen.silhouettes) == set(found.chosen.davies_bouldin) == every
    assert min(found.chosen.davies_bouldin, key=lambda k: found.chosen.davies_bouldin[k]) == 4
    assert f"4: {found.chosen.silhouettes[4]:.3f}" in found.table()
    told = found.metrics()
    assert told["silhouette"] == told["silhouette_kmeans_k4"] == max(found.chosen.silhouettes.values())


def test_where_there_are_no_groups_the_steadiest_is_taken() -> None:
    noise = np.random.default_rng(1).normal(size=(300, 3))
    found = choose(noise, dataclasses.replace(SETTINGS, min_k=6, max_k=8))
    steady = {(kind, k): value for kind, of_kind in found.tried.items() for k, value in of_kind.stability.items()}
    assert max(steady.values()) < SETTINGS.min_stability
    assert (found.grouping.kind, found.k) == max(steady, key=lambda one: steady[one])
    assert found.unsteady(SETTINGS.min_stability) is not None


def test_the_same_points_give_the_same_answer() -> None:
    points = planted(3, apart=3.0)
    few = dataclasses.replace(SETTINGS, max_k=4)
    assert choose(points, few) == choose(points, few)


def of(silhouettes: dict[int, float], steady: dict[int, float]) -> Quality:
    return Quality(silhouettes=silhouettes, davies_bouldin={}, stability=steady)


def test_the_steady_come_first_and_where_none_is_the_steadiest() -> None:
    plain = of({3: 0.4, 4: 0.5, 5: 0.6}, {3: 0.9, 4: 0.85, 5: 0.5})
    assert best({KMEANS: plain}, 0.8) == (KMEANS, 4)
    assert best({KMEANS: plain}, 0.95) == (KMEANS, 3)
    assert best({KMEANS: of({3: 0.4, 4: 0.4}, {3: 1.0, 4: 1.0})}, 0.8) == (KMEANS, 3)
    nearly = {3: 0.58, 4: 0.595, 5: 0.6}
    assert best({KMEANS: of(nearly, dict.fromkeys(nearly, 1.0))}, 0.8) == (KMEANS, 4)


def test_another_kind_is_taken_where_it_is_better_and_the_plainest_where_it_is_not() -> None:
    steady = {3: 0.9, 4: 0.9}
    plain, other = of({3: 0.40, 4: 0.50}, steady), of({3: 0.30, 4: 0.55}, steady)
    assert best({KMEANS: plain, MIXTURE: other}, 0.8) == (MIXTURE, 4)
    assert best({KMEANS: plain, MIXTURE: of({3: 0.40, 4: 0.505}, steady)}, 0.8) == (KMEANS, 4)
    assert best({KMEANS: plain, MIXTURE: of({3: 0.495}, steady)}, 0.8) == (MIXTURE, 3)
    assert best({KMEANS: plain, MIXTURE: of({4: 0.6}, {4: 0.7})}, 0.8) == (KMEANS, 4)


def test_profiles_all_alike_are_one_line() -> None:
    with pytest.raises(ModelError, match="too alike, got 1 different ones") as raised:
        choose(np.zeros((20, 3)), SETTINGS)
    assert len(str(raised.value).splitlines()) == 1

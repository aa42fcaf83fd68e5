"""How many segments: on points whose groups are planted, and on those that have none."""

import dataclasses

import numpy as np
import pytest

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.training.segment_count import best_k, choose

SETTINGS = load("dev", environ={}).segments


def planted(groups: int, apart: float) -> np.ndarray:
    """Ten, twenty, ... points around each of some centres in a row."""
    random = np.random.default_rng(3)
    return np.concatenate(
        [random.normal([apart * number, 0, 0], 1.0, (10 * (number + 1), 3)) for number in range(groups)]
    )


def test_as_many_as_were_planted_are_found_and_told() -> None:
    found = choose(planted(4, apart=10.0), SETTINGS)
    assert found.k == 4
    assert found.stability[4] == 1.0
    assert set(found.silhouettes) == set(found.davies_bouldin) == set(range(SETTINGS.min_k, SETTINGS.max_k + 1))
    assert min(found.davies_bouldin, key=lambda k: found.davies_bouldin[k]) == 4
    assert f"4: {found.silhouettes[4]:.3f}" in found.table()
    assert found.metrics()["silhouette"] == found.metrics()["silhouette_k4"] == max(found.silhouettes.values())


def test_where_there_are_no_groups_the_steadiest_is_taken() -> None:
    noise = np.random.default_rng(1).normal(size=(300, 3))
    found = choose(noise, dataclasses.replace(SETTINGS, min_k=6, max_k=8))
    assert max(found.stability.values()) < SETTINGS.min_stability
    assert found.k == max(found.stability, key=lambda k: found.stability[k])


def test_the_same_points_give_the_same_answer() -> None:
    points = planted(3, apart=3.0)
    assert choose(points, SETTINGS) == choose(points, SETTINGS)


def test_the_steady_come_first_and_where_none_is_the_steadiest() -> None:
    silhouettes, steady = {3: 0.4, 4: 0.5, 5: 0.6}, {3: 0.9, 4: 0.85, 5: 0.5}
    assert best_k(silhouettes, steady, 0.8) == 4
    assert best_k(silhouettes, steady, 0.95) == 3
    assert best_k({3: 0.4, 4: 0.4}, {3: 1.0, 4: 1.0}, 0.8) == 3
    nearly = {3: 0.58, 4: 0.595, 5: 0.6}
    assert best_k(nearly, dict.fromkeys(nearly, 1.0), 0.8) == 4


def test_profiles_all_alike_are_one_line() -> None:
    with pytest.raises(ModelError, match="too alike, got 1 different ones") as raised:
        choose(np.zeros((20, 3)), SETTINGS)
    assert len(str(raised.value).splitlines()) == 1

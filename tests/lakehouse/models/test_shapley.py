"""Shapley values are held to their definition: all coalitions enumerated in plain Python, of few features; and to their sum, of all."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models import shapley
from lakehouse.models.candidates import SETTINGS, Setting, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.score_model import BOOSTED, EVERYBODY, FOREST, NETWORK, ScoreModel
from lakehouse.models.trees import Trees
from tests.lakehouse.models.test_score_model import drawn, model

KINDS = {one.kind: one for one in SETTINGS}.values()
DEEP = Setting(kind=BOOSTED, options={"max_depth": 8, "learning_rate": 0.3})  # asks a feature again on the same way
FEW = ("views_30d", "days_since_order", "has_ordered", "revenue_90d", "orders_7d", "tenure_days", "views_7d")
OFF = {FOREST: 0.03, NETWORK: 0.08}  # of log-odds; the others are exact


def enumerated(logit: Callable[[Array], Array], row: Array, usual: Array, asked: list[int]) -> dict[int, float]:
    """By feature, the definition: over all coalitions of the others, weighted by how many orders they stand for."""
    found = {}
    for one in asked:
        others = [place for place in asked if place != one]
        total = 0.0
        for size in range(len(asked)):
            share = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(asked))
            for coalition in itertools.combinations(others, size):
                without = usual.copy()
                without[list(coalition)] = row[list(coalition)]
                with_it = without.copy()
                with_it[one] = row[one]
                total += share * float(logit(with_it[None, :])[0] - logit(without[None, :])[0])
        found[one] = total
    return found


def learned(setting: Setting) -> tuple[ScoreModel, Array, Array]:
    """A model, rows that it has not seen, and the usual one."""
    (rows, label), (asked, _) = drawn(1), drawn(2, count=300)
    told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3).calibrated(0.8, -0.2)
    return told, asked, np.array([told.usual[name] for name in FEATURES])


@pytest.mark.parametrize("setting", [*KINDS, DEEP], ids=str)
def test_they_are_what_enumerating_all_coalitions_gives(setting: Setting) -> None:
    told, asked, usual = learned(setting)
    few = [FEATURES.index(name) for name in FEW]
    rows = np.tile(usual, (5, 1))
    rows[:, few] = asked[:5][:, few]
    found = told.contributions(rows)
    for row, values in zip(rows, found, strict=True):
        truth = enumerated(told.scaled, row, usual, few)
        assert values[few] == pytest.approx([truth[place] for place in few], abs=OFF.get(told.kind, 1e-9))
        assert np.abs(np.delete(values, few)).max() == 0.0, "as usual moves nothing"
    assert np.abs(found).max() > 0.2


@pytest.mark.parametrize("setting", KINDS, ids=str)
def test_they_sum_to_what_is_said_of_the_row_less_what_is_said_of_the_usual(setting: Setting) -> None:
    told, asked, usual = learned(setting)
    found = told.contributions(asked)
    assert found.sum(axis=1) == pytest.approx(told.scaled(asked) - told.scaled(usual[None, :])[0], abs=1e-9)


@pytest.mark.parametrize("setting", KINDS, ids=str)
def test_a_row_is_told_the_same_to_the_last_bit_whoever_else_is_there(setting: Setting) -> None:
    told, asked, _ = learned(setting)
    alone = np.concatenate([told.contributions(asked[at : at + 1]) for at in (0, 7, 270)])
    assert np.array_equal(told.contributions(asked)[[0, 7, 270]], alone)
    assert told.contributions(asked[:0]).shape == (0, len(FEATURES))


def test_what_two_features_do_only_together_is_shared_and_was_missed_before() -> None:
    """Two leaves that need both of views and orders. One changed back at a time would each be told the whole, so twice what there is."""
    views, orders = FEATURES.index("views_7d"), FEATURES.index("orders_7d")
    tree = Trees.one(
        [views, 0, orders, 0, 0], [1, 0, 1, 0, 0], [1, 0, 3, 0, 0], [2, 0, 4, 0, 0], [0, 0, 0, 0, 2.0],
        [False, True, False, True, True], 2,
    )  # fmt: skip
    told = model(kind="boosted", trees=tree.to_parameters(), usual=dict.fromkeys(FEATURES, 0.0))
    row = np.zeros((1, len(FEATURES)))
    row[0, [views, orders]] = 5.0
    assert told.contributions(row)[0, [views, orders]].tolist() == [1.0, 1.0]


def test_a_feature_that_is_asked_twice_on_one_way_counts_once() -> None:
    """0 < views <= 4 is one condition of one feature: the row's is met by views alone, whatever the other branch says."""
    views, orders = FEATURES.index("views_7d"), FEATURES.index("orders_7d")
    tree = Trees.one(
        [views, 0, views, orders, 0, 0, 0], [0, 0, 4, 1, 0, 0, 0], [1, 0, 3, 5, 0, 0, 0], [2, 0, 4, 6, 0, 0, 0],
        [0, 0, 0, 0, 9.0, 1.0, 3.0], [False, True, False, False, True, True, True], 3,
    )  # fmt: skip
    usual = dict.fromkeys(FEATURES, 0.0) | {"views_7d": 8.0}
    told = model(kind="boosted", trees=tree.to_parameters(), usual=usual)
    row = np.zeros((1, len(FEATURES)))
    row[0, [views, orders]] = [2.0, 5.0]
    truth = enumerated(told.scaled, row[0], np.array([usual[name] for name in FEATURES]), [views, orders])
    assert told.contributions(row)[0, [views, orders]] == pytest.approx([truth[views], truth[orders]], abs=1e-12)
    assert truth[orders] == 1.0, "half of 3 less 1: only with the row's views is it asked"


def test_orders_are_the_same_at_every_call_and_come_with_themselves_backwards() -> None:
    first, second = shapley.orders(20, 4), shapley.orders(20, 4)
    assert [one.tolist() for one in first] == [one.tolist() for one in second]
    assert all(sorted(one) == list(range(20)) for one in first)
    assert [one.tolist()[::-1] for one in first[::2]] == [one.tolist() for one in first[1::2]]

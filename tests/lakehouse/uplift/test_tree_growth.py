"""Trees against a search through every split, and on rules that were planted."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.targeting.trees import Tree, apply
from lakehouse.uplift import tree_growth
from lakehouse.uplift.tree_growth import PRIOR_ROWS, grow


def drawn(seed: int, rows: int = 300, features: int = 3, codes: int = 5) -> np.ndarray:
    return np.asfortranarray(np.random.default_rng(seed).integers(0, codes, (rows, features)).astype(np.uint8))


def gain(parts: list[np.ndarray]) -> float:
    return sum(float((part.sum(axis=0) ** 2).sum()) / (len(part) + PRIOR_ROWS) for part in parts)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_a_tree_asks_what_no_other_split_does_better(seed: int, outputs: int) -> None:
    codes = drawn(seed)
    targets = np.random.default_rng(seed + 1).normal(size=(len(codes), outputs)) + codes[:, :1] * (codes[:, 1:2] > 2)
    tree = next(grow(codes, targets, 1))
    splits = [
        (feature, code)
        for feature, code in itertools.product(range(3), range(5))
        if min((codes[:, feature] <= code).sum(), (codes[:, feature] > code).sum()) >= tree_growth.LEAST_IN_LEAF
    ]
    best = max(
        gain([targets[codes[:, feature] <= code], targets[codes[:, feature] > code]]) for feature, code in splits
    )
    is_left = codes[:, tree.root.feature] <= tree.root.code
    assert gain([targets[is_left], targets[~is_left]]) == pytest.approx(best)
    for leaf in range(4):
        inside = targets[tree.leaf_of(codes) == leaf]
        expected = tree_growth.LEARNING_RATE * inside.sum(axis=0) / (len(inside) + PRIOR_ROWS)
        np.testing.assert_allclose(tree.leaves[leaf], expected, atol=1e-9)


def test_a_rule_of_two_features_is_found() -> None:
    codes = drawn(1, rows=2000)
    rule = ((codes[:, 0] > 2) & (codes[:, 2] > 1)).astype(float)[:, None]
    found = apply(tuple(grow(codes, rule - rule.mean(), 30)), codes, 1)
    assert np.abs(found + rule.mean() - rule).max() < 0.1


def test_a_feature_with_one_code_is_never_asked_and_none_is_no_fault() -> None:
    flat = np.zeros((100, 2), np.uint8, order="F")
    targets = np.random.default_rng(0).normal(size=(100, 1))
    assert list(grow(flat, targets, 5)) == []
    assert list(grow(np.zeros((100, 0), np.uint8), targets, 5)) == []


def test_a_tree_is_the_same_after_json() -> None:
    tree = next(grow(drawn(2), np.random.default_rng(2).normal(size=(300, 2)), 1))
    assert Tree.from_parameters(json.loads(json.dumps(tree.to_parameters()))) == tree

"""Contenders and their blend."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.targeting.response_model import People, ResponseModel
from lakehouse.uplift.contenders import CONTENDERS, KINDS, fit, kinds
from lakehouse.uplift.learned_encoding import encoding_of


def people(seed: int, rows: int = 400) -> People:
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 4)), columns=list("abcd"))
    return encoding_of(frame).people(frame)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=CONTENDERS, max_size=CONTENDERS))
def test_a_blend_says_the_sum_of_the_shares_before_and_after_json(seed: int, shares: list[float]) -> None:
    everybody = people(seed)
    targets = np.random.default_rng(seed).normal(size=(len(everybody), 2)) + everybody.line[:, :1]
    contenders = fit(everybody, targets)
    said = contenders.each(everybody)
    assert said.shape == (CONTENDERS, len(everybody), 2)
    model = contenders.blend(np.array(shares))
    expected = np.tensordot(shares, said, 1)
    np.testing.assert_allclose(model.of(everybody), expected, atol=1e-9)
    again = ResponseModel.from_parameters(json.loads(json.dumps(model.to_parameters())))
    np.testing.assert_allclose(again.of(everybody), expected, atol=1e-9)


def test_a_line_is_that_of_ridge_regression_through_the_middle() -> None:
    everybody = people(1)
    x, y = everybody.line, everybody.line @ np.array([1.0, -2.0, 0.0, 0.5]) + 3
    centred = x - x.mean(axis=0)
    ridge = np.vstack([centred, np.sqrt(0.1 * len(x)) * np.eye(4)])  # ridge as least squares with rows added
    slopes = np.linalg.lstsq(ridge, np.r_[y - y.mean(), np.zeros(4)], rcond=None)[0]
    said = fit(everybody, y[:, None]).each(everybody)[KINDS["a line"]][1][:, 0]
    np.testing.assert_allclose(said, y.mean() + centred @ slopes, atol=1e-9)


def test_a_product_of_two_columns_is_a_line_with_pairs() -> None:
    everybody = people(2)
    y = (everybody.line[:, 0] * everybody.line[:, 1])[:, None]
    contenders = fit(everybody, y)
    left = ((contenders.each(everybody) - y) ** 2).mean(axis=(1, 2))
    assert left[KINDS["a line with pairs"]].min() < 0.01 * left[KINDS["a line"]].min()


def test_without_a_feature_everybody_is_the_same() -> None:
    nobody = People(line=np.zeros((50, 0)), codes=np.zeros((50, 0), np.uint8))
    said = fit(nobody, np.arange(50.0)[:, None]).each(nobody)
    np.testing.assert_allclose(said, 24.5)


def test_kinds_are_shares_of_the_whole() -> None:
    shares = np.zeros(CONTENDERS)
    shares[0], shares[KINDS["trees"]] = 0.2, 0.2
    assert kinds(shares) == {"the same for everybody": pytest.approx(0.2), "trees": pytest.approx(0.8)}
    assert kinds(np.zeros(CONTENDERS)) == {}

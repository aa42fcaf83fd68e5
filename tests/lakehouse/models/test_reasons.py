"""Reasons are what moves a score farthest from the usual, in words; of a line they are coefficient times deviation."""

import math

import numpy as np
import pytest

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.reasons import WORDS, YES_OR_NO, reasons
from lakehouse.models.score_model import EVERYBODY, ScoreModel
from tests.lakehouse.models.test_score_model import drawn, model, row

USUAL = dict.fromkeys(FEATURES, 0.0) | {"views_7d": 1.0}


def said(told: ScoreModel, rows: Array) -> list[list[str]]:
    return reasons(told.contributions(rows), rows)


def test_of_a_logistic_model_it_is_coefficient_times_deviation() -> None:
    told = model(weights={"views_7d": 2.0, "frequency": -1.0, "carts_7d": 0.01}, slope=0.5, usual=USUAL)
    rows = row(views_7d=12.0, frequency=3.0, carts_7d=1.0, has_ordered=1.0)
    found = dict(zip(FEATURES, told.contributions(rows)[0], strict=True))
    assert found["views_7d"] == pytest.approx(0.5 * 2.0 * (math.log(13) - math.log(2)))
    assert found["frequency"] == pytest.approx(0.5 * -1.0 * math.log(4))
    assert said(told, rows) == [["raises: 12 products looked at in 7 days", "lowers: 3 orders ever"]]
    assert said(told, row(views_7d=1.0)) == [[]], "as usual"


def test_whether_somebody_has_ordered_is_said_as_a_sentence() -> None:
    told = model(weights={"has_ordered": 5.0}, usual=USUAL | {"has_ordered": 1.0})
    assert said(told, row()) == [["lowers: has never ordered"]]
    assert said(model(weights={"has_ordered": 5.0}, usual=USUAL), row(has_ordered=1.0)) == [["raises: has ordered"]]


def test_every_feature_has_words() -> None:
    assert {*WORDS, *YES_OR_NO} == set(FEATURES)


@pytest.mark.parametrize("setting", {one.kind: one for one in SETTINGS}.values(), ids=str)
def test_every_kind_of_model_names_what_the_truth_goes_by(setting: object) -> None:
    """Outcomes are drawn by views in 30 days and the time since the last order, and by nothing else."""
    rows, label = drawn(1)
    told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3)  # type: ignore[arg-type] # one of SETTINGS
    means = np.abs(told.contributions(rows)).mean(axis=0)
    assert {FEATURES[place] for place in np.argsort(-means)[:2]} == {"views_30d", "days_since_order"}

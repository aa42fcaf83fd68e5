"""Reasons are what moves a score farthest from the usual, in words; of a line they are coefficient times deviation."""

import math

import numpy as np
import pytest

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS, fit
from lakehouse.models.reasons import WORDS, YES_OR_NO, moved, reasons
from lakehouse.models.score_model import EVERYBODY
from tests.lakehouse.models.test_score_model import drawn, model, row

USUAL = dict.fromkeys(FEATURES, 0.0) | {"views_7d": 1.0}


def test_of_a_logistic_model_it_is_coefficient_times_deviation() -> None:
    told = model(weights={"views_7d": 2.0, "frequency": -1.0, "carts_7d": 0.01}, slope=0.5, usual=USUAL)
    rows = row(views_7d=12.0, frequency=3.0, carts_7d=1.0, has_ordered=1.0)
    found = dict(zip(FEATURES, moved(told.scaled, rows, USUAL)[0], strict=True))
    assert found["views_7d"] == pytest.approx(0.5 * 2.0 * (math.log(13) - math.log(2)))
    assert found["frequency"] == pytest.approx(0.5 * -1.0 * math.log(4))
    assert reasons(told.scaled, rows, USUAL) == [["raises: 12 products looked at in 7 days", "lowers: 3 orders ever"]]
    assert reasons(told.scaled, row(views_7d=1.0), USUAL) == [[]], "as usual"


def test_whether_somebody_has_ordered_is_said_as_a_sentence() -> None:
    told = model(weights={"has_ordered": 5.0}, usual=USUAL | {"has_ordered": 1.0})
    assert reasons(told.scaled, row(), told.usual) == [["lowers: has never ordered"]]
    assert reasons(told.scaled, row(has_ordered=1.0), USUAL) == [["raises: has ordered"]]


def test_every_feature_has_words() -> None:
    assert {*WORDS, *YES_OR_NO} == set(FEATURES)


@pytest.mark.parametrize("setting", SETTINGS[1::2], ids=str)
def test_every_kind_of_model_names_what_the_truth_goes_by(setting: object) -> None:
    """Outcomes are drawn by views in 30 days and the time since the last order, and by nothing else."""
    rows, label = drawn(1)
    told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3)  # type: ignore[arg-type] # one of SETTINGS
    means = np.abs(moved(told.scaled, rows, told.usual)).mean(axis=0)
    assert {FEATURES[place] for place in np.argsort(-means)[:2]} == {"views_30d", "days_since_order"}

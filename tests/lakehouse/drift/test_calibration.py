import numpy as np
import pytest

from lakehouse.drift.calibration import calibration
from lakehouse.models.evaluation import expected_calibration_error, reliability


def test_the_error_is_that_of_the_reliability_table() -> None:
    random = np.random.default_rng(1)
    predicted = random.uniform(0, 1, 1000)
    outcome = (random.random(1000) < predicted**2).astype(float)
    found = calibration(predicted, outcome, random)
    assert found.error == pytest.approx(expected_calibration_error(reliability(predicted, outcome)))
    assert (found.predicted, found.observed) == pytest.approx((predicted.mean(), outcome.mean()))
    assert found.p < 0.001


def test_true_predictions_are_found_false_as_often_as_p_says() -> None:
    random, ps = np.random.default_rng(2), []
    for _ in range(300):
        predicted = random.beta(1, 6, 400)
        ps.append(calibration(predicted, (random.random(400) < predicted).astype(float), random, draws=200).p)
    assert np.mean(np.array(ps) <= 0.1) == pytest.approx(0.1, abs=2.5 * np.sqrt(0.09 / 300))


def test_fewer_rows_than_tenths() -> None:
    found = calibration(np.array([0.2, 0.8]), np.array([0.0, 1.0]), np.random.default_rng(3))
    assert found.error == pytest.approx(0.2)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no row"):
        calibration(np.empty(0), np.empty(0), np.random.default_rng(3))

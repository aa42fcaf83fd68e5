import numpy as np
import pytest

from lakehouse.lifetime.forecast_quality import MEAN, RATE_GOES_ON, baselines, deviances, figures
from lakehouse.lifetime.histories import Histories


def test_figures_of_a_forecast_by_hand() -> None:
    actual = np.array([4.0, 0, 0, 0, 0, 0, 0, 0, 0, 4])
    forecast = np.array([3.0, 1, 0, 0, 0, 0, 0, 0, 0, 2])
    found = figures(forecast, actual)
    assert (found.total, found.bias, found.capture) == (6, -0.25, 0.5)


def test_deviance_is_poissons() -> None:
    told = deviances(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert told == pytest.approx([4.0, 2 * (np.log(1 / 3) - 1 + 3)])


def test_a_single_order_of_somebody_who_was_told_none_costs_a_bounded_sum() -> None:
    assert deviances(np.zeros(2), np.array([1.0, 0.0])).max() < 20


def test_where_nobody_bought_there_is_no_bias_and_no_capture() -> None:
    found = figures(np.ones(20), np.zeros(20))
    assert (found.bias, found.capture) == (None, None)
    assert np.isfinite(found.deviance)


def test_the_rules_by_hand() -> None:
    known = Histories(
        repeats=np.array([3.0, 0.0]), last=np.array([20.0, 0.0]), age=np.array([30.0, 10.0]), value=np.ones(2)
    )
    found = baselines(known, 10)
    assert found[MEAN].tolist() == [0.75, 0.75]
    assert found[RATE_GOES_ON].tolist() == [1.0, 0.0]

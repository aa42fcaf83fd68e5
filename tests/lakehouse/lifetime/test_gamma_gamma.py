import numpy as np
import pytest
from lifetimes import GammaGammaFitter

from lakehouse.errors import ModelError
from lakehouse.lifetime import gamma_gamma
from lakehouse.lifetime.gamma_gamma import GammaGamma, fit
from tests.lakehouse.lifetime.cdnow import CALIBRATION_END, days


def spend_of_repeats() -> tuple[np.ndarray, np.ndarray]:
    """Of customers of the sample who came back: days they did, and dollars on such a day, as Fader and Hardie take it."""
    rows = days()
    rows = rows[rows["is_sampled"] & (rows["day"] <= CALIBRATION_END)]
    again = rows[rows.duplicated("customer")].groupby("customer")["dollars"]
    return again.size().to_numpy(float), again.mean().to_numpy()


def test_the_published_parameters_of_cdnow_are_found() -> None:
    model = fit(*spend_of_repeats())
    assert (model.p, model.q, model.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert model.is_certain


def test_every_customer_is_told_what_lifetimes_tells() -> None:
    orders, value = spend_of_repeats()
    model = fit(orders, value)
    oracle = GammaGammaFitter()
    oracle.params_ = {"p": model.p, "q": model.q, "v": model.gamma}
    np.testing.assert_allclose(
        model.expected_value(orders, value), oracle.conditional_expected_average_profit(orders, value), rtol=1e-12
    )


def test_the_gradient_is_that_of_the_likelihood() -> None:
    x, m = spend_of_repeats()
    point = np.array([5.0, 3.0, 12.0])
    gradient = gamma_gamma._log_likelihood(*point, x, m)[1].sum(axis=1)
    for place in range(3):
        step = np.eye(3)[place] * 1e-5
        above, below = (gamma_gamma._log_likelihood(*(point + side * step), x, m)[0].sum() for side in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / 2e-5, rel=1e-5)


def test_of_whom_no_value_is_known_the_mean_is_expected() -> None:
    model = GammaGamma(p=6.0, q=4.0, gamma=15.0)
    assert model.mean == 30
    assert model.expected_value(np.array([3.0, 0.0]), np.array([0.0, 9.0])).tolist() == [30, 30]


def test_more_orders_are_believed_more() -> None:
    model = GammaGamma(p=6.0, q=4.0, gamma=15.0)
    few, many = model.expected_value(np.array([1.0, 50.0]), np.array([90.0, 90.0]))
    assert 30 < few < many < 90


def test_customers_who_all_spend_alike_are_expected_to_go_on() -> None:
    model = fit(np.full(100, 3.0), np.full(100, 20.0))
    assert not model.is_certain
    assert model.expected_value(np.array([1.0, 9.0]), np.array([20.0, 20.0])) == pytest.approx([20, 20], rel=1e-3)


def test_ten_customers_are_refused_and_so_are_many_who_spent_nothing() -> None:
    with pytest.raises(ModelError, match="got 10, expected"):
        fit(np.ones(10), np.full(10, 5.0))
    with pytest.raises(ModelError, match="got 0, expected"):
        fit(np.ones(100), np.zeros(100))

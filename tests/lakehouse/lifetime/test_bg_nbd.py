from itertools import pairwise

import numpy as np
import pytest
from lifetimes import BetaGeoFitter
from scipy.integrate import quad
from scipy.stats import beta

from lakehouse.errors import ModelError
from lakehouse.lifetime import bg_nbd
from lakehouse.lifetime.bg_nbd import BgNbd, fit
from lakehouse.lifetime.histories import Histories
from tests.lakehouse.lifetime.cdnow import CALIBRATION_END, HOLDOUT_DAYS, bought, days, histories

WEEK = 7.0


def known(*rows: tuple[float, float, float]) -> Histories:
    """Of (repeats, last, age)."""
    repeats, last, age = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Histories(repeats=repeats, last=last, age=age, value=np.ones(len(rows)))


@pytest.fixture(scope="module")
def sample() -> Histories:
    rows = days()
    return histories(rows[rows["is_sampled"]], CALIBRATION_END, WEEK)[1]


@pytest.fixture(scope="module")
def fitted(sample: Histories) -> BgNbd:
    return fit(sample)


def test_the_published_parameters_of_cdnow_are_found(fitted: BgNbd) -> None:
    found = (fitted.r, fitted.alpha, fitted.a, fitted.b)
    assert found == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert fitted.is_certain


def test_the_39_weeks_after_are_forecast_as_published(sample: Histories, fitted: BgNbd) -> None:
    assert fitted.expected_orders(sample, 39).sum() == pytest.approx(1653.4, abs=0.05)
    rows = days()
    rows = rows[rows["is_sampled"]]
    assert bought(rows, histories(rows, CALIBRATION_END)[0], CALIBRATION_END, HOLDOUT_DAYS).sum() == 1882


def test_every_customer_is_told_what_lifetimes_tells(sample: Histories, fitted: BgNbd) -> None:
    oracle = BetaGeoFitter()
    oracle.params_ = {"r": fitted.r, "alpha": fitted.alpha, "a": fitted.a, "b": fitted.b}
    of = (sample.repeats, sample.last, sample.age)
    expected = oracle.conditional_expected_number_of_purchases_up_to_time(39, *of)
    np.testing.assert_allclose(fitted.expected_orders(sample, 39), expected, rtol=1e-9)
    np.testing.assert_allclose(fitted.alive(sample), oracle.conditional_probability_alive(*of), rtol=1e-9)


@pytest.mark.parametrize("a", [0.05, 0.4, 1.0, 1.0 + 1e-9, 1.7, 40.0])
@pytest.mark.parametrize(
    "b", [0.3, 0.6, 2.4, 900.0]
)  # 0.6 with a of 0.4: 2F1 divides by nothing where nobody came back
@pytest.mark.parametrize("row", [(0.0, 0.0, 3.0), (1.0, 2.0, 3.0), (40.0, 38.0, 39.0), (1e6, 38.999, 39.0)])
def test_expected_orders_are_the_integral_over_how_likely_somebody_leaves(
    a: float, b: float, row: tuple[float, float, float]
) -> None:
    """Of somebody alive with chance p of leaving after an order, (1 - (1 + p t / (alpha + T)) ** -(r + x)) / p orders, p ~ Beta(a, b + x)."""
    model, t, (x, _, age) = BgNbd(r=0.7, alpha=5.0, a=a, b=b), 26.0, row

    def orders(share: float) -> float:
        p = beta.ppf(share, a, b + x)
        return (
            -np.expm1(-(model.r + x) * np.log1p(p * t / (model.alpha + age))) / p
            if p > 1e-14
            else (model.r + x) * t / (model.alpha + age)
        )

    expected = quad(orders, 0, 1, epsabs=1e-10, epsrel=1e-10, limit=500)[0] * model.alive(known(row))[0]
    assert model.expected_orders(known(row), t)[0] == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_that_of_the_likelihood(sample: Histories) -> None:
    point, x, last, age = np.array([0.4, 3.0, 0.9, 1.7]), sample.repeats, sample.last, sample.age
    gradient = bg_nbd._log_likelihood(point, x, last, age)[1].sum(axis=1)
    for place in range(4):
        step = np.eye(4)[place] * 1e-6
        above, below = (bg_nbd._log_likelihood(point + side * step, x, last, age)[0].sum() for side in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-5)


def test_who_was_as_busy_as_can_be_and_fell_silent_has_left(fitted: BgNbd) -> None:
    row = known((1e6, 1.0, 39.0))
    assert (fitted.alive(row)[0], fitted.expected_orders(row, 39)[0]) == (0, 0)


def test_a_longer_horizon_never_has_fewer_orders(sample: Histories, fitted: BgNbd) -> None:
    ends = [fitted.expected_orders(sample, horizon) for horizon in (0, 1, 39, 400, 1e6)]
    assert (ends[0] == 0).all()
    assert all((later >= sooner).all() for sooner, later in pairwise(ends))


def test_the_unit_of_time_changes_alpha_and_nothing_else(sample: Histories, fitted: BgNbd) -> None:
    in_days = fit(Histories(repeats=sample.repeats, last=sample.last * 7, age=sample.age * 7, value=sample.value))
    assert in_days.alpha == pytest.approx(fitted.alpha * 7, rel=1e-4)
    assert (in_days.r, in_days.a, in_days.b) == pytest.approx((fitted.r, fitted.a, fitted.b), rel=1e-4)


def test_ten_customers_are_refused() -> None:
    with pytest.raises(ModelError, match="too few customers, got 10"):
        fit(known(*[(1.0, 2.0, 3.0)] * 10))


def test_a_shop_nobody_came_back_to_is_refused() -> None:
    with pytest.raises(ModelError, match="came back, got 0 of 500"):
        fit(known(*[(0.0, 0.0, float(1 + age % 90)) for age in range(500)]))


def test_customers_who_are_all_alike_have_a_forecast_that_is_not_certain() -> None:
    alike = known(*[(4.0, 40.0, 50.0)] * 200)
    model = fit(alike)
    assert not model.is_certain
    assert 0.5 < model.expected_orders(alike, 50.0).mean() < 6

"""Estimates against formulas written out, and their errors against how much they really vary from sample to sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.experiments.estimates import Estimate, mean, quantile, ratio, winsorised
from lakehouse.experiments.fixed import fixed


def visits(rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Orders and visits of each: people differ in how readily they buy, so their visits are no independent rows."""
    count = 1 + rng.poisson(2.0, people)
    return rng.binomial(count, rng.beta(1, 4, people)).astype(float), count.astype(float)


def baskets(rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and whose each is: a person's baskets are alike."""
    counts = rng.poisson(1.5, people)
    person = np.repeat(np.arange(people), counts)
    return rng.lognormal(3, 0.5, len(person)) * np.repeat(rng.lognormal(0, 0.6, people), counts), person


def test_a_quotient_is_that_of_the_sums_with_the_variance_of_the_delta_method() -> None:
    above, below = visits(np.random.default_rng(1), 500)
    found, n = ratio(above, below), 500
    r = above.sum() / below.sum()
    covariance = np.cov(above, below)
    by_hand = (covariance[0, 0] - 2 * r * covariance[0, 1] + r**2 * covariance[1, 1]) / below.mean() ** 2 / n
    assert found.value == pytest.approx(r)
    assert found.moments.squared_error == pytest.approx(by_hand)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


def test_over_one_row_each_a_quotient_is_a_mean() -> None:
    values = np.random.default_rng(2).gamma(2, 3, 400)
    one, other = ratio(values, np.ones(400)).moments, mean(values).moments
    assert (one.mean, one.variance) == pytest.approx((other.mean, other.variance))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_quantile_varies_as_much_as_it_says_although_rows_are_clustered(share: float) -> None:
    rng = np.random.default_rng(3)
    found = [quantile(*baskets(rng, 800), 800, share) for _ in range(400)]
    really = np.std([one.value for one in found])
    said = np.sqrt(np.mean([one.moments.squared_error for one in found]))
    rows = [len(baskets(rng, 800)[0]) for _ in range(5)]
    assert said == pytest.approx(really, rel=0.1)
    assert np.mean(rows) > 1000  # a person has more than one


def test_intervals_of_quotients_and_quantiles_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    held = np.zeros(2)
    for _ in range(800):
        pairs = (
            [ratio(*visits(rng, 600)) for _ in "ab"],
            [quantile(*baskets(rng, 600), 600, 0.5) for _ in "ab"],
        )
        for place, (one, other) in enumerate(pairs):
            low, high = fixed(one.moments, other.moments, alpha=0.05).interval
            held[place] += low <= 0 <= high
    assert (abs(held / 800 - 0.95) < 0.023).all(), held / 800  # three standard errors


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=4), min_size=1, max_size=30), st.floats(0.01, 0.99))
@settings(max_examples=150, deadline=None)
def test_a_quantile_is_the_smallest_row_that_so_many_do_not_exceed(people: list[list[float]], share: float) -> None:
    rows = np.array([row for each in people for row in each])
    person = np.array([number for number, each in enumerate(people) for _ in each], dtype=np.int64)
    found = quantile(rows, person, len(people), share)
    if len(rows) == 0:
        assert np.isnan(found.value)
        return
    within = [row for row in rows if (rows <= row).mean() >= share - 1e-9]
    assert found.value == min(within)


def test_what_cannot_be_known_is_not_said() -> None:
    nothing = np.zeros(3)
    assert np.isnan(ratio(nothing, nothing).value)
    assert np.isnan(ratio(nothing, nothing).moments.squared_error)
    few = quantile(np.array([1.0, 2.0, 3.0]), np.arange(3), 3, 0.9)
    assert (few.value, np.isnan(few.moments.squared_error)) == (3.0, True)
    assert np.isnan(fixed(few.moments, few.moments, alpha=0.05).interval[0])
    assert isinstance(mean(np.array([])), Estimate)


def test_one_large_order_is_cut_to_what_the_others_are_and_those_who_bought_nothing_stay() -> None:
    values = np.array([0.0] * 900 + [10.0] * 98 + [50.0, 1e6])
    cut = winsorised(values, 0.99)
    assert (cut.max(), (cut == 0).sum(), (cut == 10).sum()) == (50.0, 900, 98)
    assert winsorised(-values, 0.99).min() == -50.0
    assert (winsorised(np.zeros(5), 0.9) == 0).all()

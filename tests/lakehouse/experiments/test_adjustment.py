"""CUPED: less noise, the same effect; of any estimate, with several covariates and with holes in them."""

import numpy as np
import pytest

from lakehouse.experiments.adjustment import LEAST_PEOPLE, adjusted
from lakehouse.experiments.estimates import mean, ratio


def people(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two covariates, and a value that both explain."""
    before = rng.normal(10, 3, (count, 2))
    return before, before @ (1.0, -0.5) + rng.normal(0, 1, count)


def test_noise_that_was_there_before_is_taken_off_and_the_effect_is_not() -> None:
    rng = np.random.default_rng(4)
    drawn = {arm: people(rng, 5000) for arm in ("a", "b")}
    plain = {arm: mean(values + (0.3 if arm == "b" else 0)) for arm, (_, values) in drawn.items()}
    before = {arm: covariates for arm, (covariates, _) in drawn.items()}
    found = adjusted(plain, before)
    assert found["b"].value - found["a"].value == pytest.approx(0.3, abs=0.08)
    assert found["a"].moments.variance == pytest.approx(1.0, rel=0.1)  # of 12.25
    holes = {
        arm: np.where(rng.random(covariates.shape) < 0.1, np.nan, covariates) for arm, covariates in before.items()
    }
    assert adjusted(plain, holes)["a"].moments.variance < 0.5 * plain["a"].moments.variance


def test_one_covariate_is_the_formula_of_the_paper() -> None:
    rng = np.random.default_rng(5)
    before = {arm: rng.gamma(2, 2, 300) for arm in "ab"}
    values = {arm: before[arm] + rng.normal(0, 2, 300) for arm in "ab"}
    found = adjusted({arm: mean(values[arm]) for arm in "ab"}, {arm: before[arm][:, None] for arm in "ab"})
    products = sum(((values[arm] - values[arm].mean()) * (before[arm] - before[arm].mean())).sum() for arm in "ab")
    theta = products / sum(((before[arm] - before[arm].mean()) ** 2).sum() for arm in "ab")
    for arm in "ab":
        cuped = values[arm] - theta * (before[arm] - np.concatenate([*before.values()]).mean())
        assert (found[arm].value, found[arm].moments.variance) == pytest.approx((cuped.mean(), cuped.var(ddof=1)))


def test_a_quotient_loses_noise_as_well() -> None:
    rng = np.random.default_rng(6)
    plain, before = {}, {}
    for arm in "ab":
        taste = rng.beta(1, 4, 4000)
        count = 1 + rng.poisson(2.0, 4000)
        plain[arm] = ratio(rng.binomial(count, taste).astype(float), count.astype(float))
        before[arm] = rng.binomial(20, taste)[:, None].astype(float)
    assert adjusted(plain, before)["a"].moments.variance < 0.8 * plain["a"].moments.variance


def test_what_does_not_vary_explains_nothing_and_few_people_are_left_as_they_are() -> None:
    before, values = people(np.random.default_rng(7), 400)
    plain = {"a": mean(values), "b": mean(np.array([]))}
    same = {"a": np.ones((400, 2)), "b": np.empty((0, 2))}
    assert adjusted(plain, same) is plain
    assert adjusted(plain, {**same, "a": before})["a"].moments.variance < plain["a"].moments.variance
    few = 2 * LEAST_PEOPLE - 1
    plain = {"a": mean(values[:few])}
    assert adjusted(plain, {"a": before[:few]}) is plain

"""Answers against oracles and by simulation: what is claimed of false positives, coverage and power is measured."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lakehouse.experiments.bayesian import bayesian
from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.multiplicity import holm, holm_within
from lakehouse.experiments.sample_ratio import BLOCKS, sample_ratio_p
from lakehouse.experiments.sample_statistics import SampleMoments, moments
from lakehouse.experiments.sequential import always_valid_p, rho, sequential, width
from tests.lakehouse.experiments.simulation import false_positives, interval_coverage


def test_peeking_a_hundred_times_is_safe_always_valid_and_is_not_with_a_fixed_horizon() -> None:
    fixed_share, sequential_share = false_positives(experiments=2000, looks=100, units=20_000, seed=1)
    assert 0.33 < fixed_share < 0.43
    assert sequential_share <= 0.05


@pytest.mark.parametrize("kind", ["proportion", "skewed"])
def test_intervals_cover_as_often_as_they_say(kind: str) -> None:
    assert abs(interval_coverage(kind, experiments=4000, units=2000, seed=3) - 0.95) < 0.01


def test_welch_is_scipys() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(1, 3, 83), rng.normal(0, 1, 140)
    found, oracle = fixed(moments(a), moments(b), alpha=0.05), stats.ttest_ind(a, b, equal_var=False)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.interval == pytest.approx(tuple(oracle.confidence_interval(0.95)))


def test_two_proportions_are_scipys_chi_square() -> None:
    arm, baseline = (moments(np.repeat([1.0, 0.0], counts)) for counts in ((130, 870), (95, 805)))
    oracle = stats.chi2_contingency([[130, 870], [95, 805]], correction=False)
    assert fixed(arm, baseline, alpha=0.05).p == pytest.approx(oracle.pvalue)


def test_the_always_valid_p_is_where_the_interval_touches_zero() -> None:
    squared = rho(0.05) ** 2
    for z in (1.2, 2.8, 3.5, 5.0):
        p = always_valid_p(z**2, 8000, squared)
        if p < 1:
            assert width(8000, squared, p) == pytest.approx(z)


def test_a_planted_lift_is_found_and_its_probability_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(2)
    arm, baseline = (moments((rng.random(20_000) < share).astype(float)) for share in (0.12, 0.10))
    assert fixed(arm, baseline, alpha=0.05).p < 1e-6
    found = sequential(arm, baseline, alpha=0.05)
    assert found.p < 0.001
    assert found.interval[0] > 0
    draws = [rng.beta(1 + one.mean * one.n, 1 + (1 - one.mean) * one.n, 400_000) for one in (arm, baseline)]
    close = moments((rng.random(400) < 0.11).astype(float))
    close_draws = rng.beta(1 + close.mean * close.n, 1 + (1 - close.mean) * close.n, 400_000)
    assert bayesian(arm, baseline).probability_better == pytest.approx((draws[0] > draws[1]).mean(), abs=0.002)
    against = bayesian(close, baseline)
    assert against.probability_better == pytest.approx((close_draws > draws[1]).mean(), abs=0.004)
    assert against.expected_loss == pytest.approx(np.maximum(draws[1] - close_draws, 0).mean(), rel=0.03)


def test_a_split_of_48_to_52_is_blocked_and_the_published_ones_come_out() -> None:
    assert sample_ratio_p({"a": 48_000, "b": 52_000}, {"a": 1, "b": 1}) < BLOCKS
    assert sample_ratio_p({"a": 4_980, "b": 5_020}, {"a": 1, "b": 1}) > 0.5
    cookie_cats = sample_ratio_p({"gate_30": 44_700, "gate_40": 45_489}, {"gate_30": 1, "gate_40": 1})
    hillstrom = sample_ratio_p(
        {"mens": 21_307, "womens": 21_387, "none": 21_306}, dict.fromkeys(("mens", "womens", "none"), 1)
    )
    assert (round(cookie_cats, 4), round(hillstrom, 3)) == (0.0086, 0.904)
    assert sample_ratio_p({"a": 900, "b": 100}, {"a": 0.9, "b": 0.1}) == pytest.approx(1.0)


def test_an_arm_that_nobody_is_in_and_one_that_was_never_declared_are_seen() -> None:
    assert sample_ratio_p({"a": 100}, {"a": 1, "b": 1}) < BLOCKS
    assert sample_ratio_p({"a": 100, "b": 100, "c": 1}, {"a": 1, "b": 1}) == 0.0
    assert sample_ratio_p({"a": 3}, {"a": 1, "b": 1}) > BLOCKS  # chance, so far


def test_all_against_none_is_a_difference_although_nothing_varies() -> None:
    all_of_them, none = moments(np.ones(100)), moments(np.zeros(100))
    assert fixed(all_of_them, none, alpha=0.05).p < 1e-6
    assert sequential(all_of_them, none, alpha=0.05).interval[0] > 0.5
    rare = moments(np.array([1.0] + [0.0] * 99))
    assert sequential(rare, none, alpha=0.05).p > 0.05


def test_hillstroms_published_figure() -> None:
    """Mens e-mail against none, conversion: z = 7.385, p = 1.5e-13."""
    arm, none = (
        SampleMoments(n=n, mean=k / n, variance=k / n * (1 - k / n) * n / (n - 1), is_binary=True)
        for n, k in ((21_307, 267), (21_306, 122))
    )
    assert fixed(arm, none, alpha=0.05).p == pytest.approx(1.5e-13, rel=0.05)


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_adjusted_p_values_keep_their_order_and_never_fall(p_values: list[float]) -> None:
    raised = holm(p_values)
    assert all(after >= before - 1e-15 for before, after in zip(p_values, raised, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(raised[a] <= raised[b] + 1e-15 for a, b in itertools.pairwise(order))
    by_hand = [(len(p_values) - rank) * p_values[position] for rank, position in enumerate(order)]
    assert [raised[position] for position in order] == pytest.approx(np.minimum(np.maximum.accumulate(by_hand), 1.0))


def test_families_are_corrected_apart() -> None:
    assert holm_within(["a", "b", "a", "b"], [0.01, 0.04, 0.03, float("nan")]) == pytest.approx(
        [0.02, 0.04, 0.03, float("nan")], nan_ok=True
    )


def test_what_does_not_vary_says_nothing() -> None:
    same = moments(np.full(10, 7.0))
    assert fixed(same, same, alpha=0.05).p == 1.0
    assert sequential(same, same, alpha=0.05).p == 1.0
    assert math.isnan(fixed(moments(np.array([1.0])), same, alpha=0.05).interval[0])

"""The gate lets a good model through, and each planted bad one fails at the check that is there for it, which says why."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from lakehouse.config import GateConfig
from lakehouse.fairness.correction import sigmoid
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.evaluation import (
    Array,
    Estimate,
    brier_gain,
    calibration_chance,
    expected_calibration_error,
    reliability,
)
from lakehouse.models.examples import Examples
from lakehouse.models.gate import Challenger, Check, Reigning, Slice, Verdict, gate
from lakehouse.models.score_model import LOGISTIC, ScoreModel

DAY = date(2026, 6, 1)
LIMITS = GateConfig(
    promotes=True, max_calibration_error=0.05, max_data_age_days=7, max_latency_ms=50, margin=0.01, refresh_days=30
)


def slice_of(people: int = 2000, seed: int = 1) -> Slice:
    """Who looked more buys more: the logit is ln(1 + views_30d) - 2."""
    random = np.random.default_rng(seed)
    rows = np.zeros((2 * people, len(FEATURES)))
    rows[:, FEATURES.index("views_30d")] = np.round(random.gamma(1.0, 8.0, 2 * people))
    label = (random.random(2 * people) < sigmoid(truth(rows))).astype(float)
    known = Examples(
        rows=rows,
        happened=label,
        person=np.repeat(np.arange(people), 2),
        cut_off=np.full(2 * people, DAY.toordinal()),
        is_touch=np.tile([False, True], people),
    )
    share = np.full(2 * people, label.mean())
    return Slice(known=known, label=label, baseline=share, day=DAY, newest_day=DAY + timedelta(days=31))


def truth(rows: Array) -> Array:
    return np.log1p(rows[:, FEATURES.index("views_30d")]) - 2.0


def model(weights: dict[str, float], intercept: float = -2.0) -> ScoreModel:
    return ScoreModel(
        version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.0, intercept=intercept, weights=weights
    )


GOOD = model({"views_30d": 1.0})
NEWEST = slice_of()


def knocks(told: ScoreModel | dict[str, Any], **changes: Any) -> Challenger:
    parameters = told.to_parameters() if isinstance(told, ScoreModel) else told
    plain: dict[str, Any] = {"parameters": parameters, "learned_until": DAY, "data_until": NEWEST.newest_day}
    plain["over_baseline"] = Estimate(value=1.0, low=1.0, high=1.0)
    if isinstance(told, ScoreModel):  # one slice is all there is here
        p = told.probability(NEWEST.known.rows)
        plain["over_baseline"] = brier_gain(p, NEWEST.baseline, NEWEST.label, 3, NEWEST.known.person)
    return Challenger(**{**plain, **changes})


def failed(verdict: Verdict) -> list[str]:
    return sorted({check.name for check in verdict.checks if not check.is_met})


def reigns(told: ScoreModel, trained_days_ago: int = 1) -> Reigning:
    trained_on = NEWEST.newest_day - timedelta(days=trained_days_ago)
    return Reigning(version="4", model=told, learned_until=DAY, trained_on=trained_on)


def test_a_good_first_model_passes_and_says_what_was_found() -> None:
    verdict = gate(knocks(GOOD), None, NEWEST, LIMITS, seed=3)
    assert (verdict.passes, verdict.reasons, verdict.champion) == (True, (), None)
    names = ["schema", "leakage", "freshness", "quality", "calibration", "calibration", "latency"]
    assert [check.name for check in verdict.checks] == names
    assert "over the best baseline" in verdict.table()


def test_a_random_model_is_rejected() -> None:
    random = np.random.default_rng(5)
    told = model(dict(zip(FEATURES, random.normal(0, 1, len(FEATURES)).tolist(), strict=True)))
    verdict = gate(knocks(told), None, NEWEST, LIMITS, seed=3)
    assert "quality" in failed(verdict)
    assert any(reason.startswith("quality: Brier gain over the best baseline -") for reason in verdict.reasons)


def test_a_first_model_must_be_better_on_the_newest_slice_too() -> None:
    told = knocks(model({}), over_baseline=Estimate(value=0.1, low=0.05, high=0.15))
    assert "quality" in failed(gate(told, None, NEWEST, LIMITS, seed=3))


def test_a_stale_model_is_rejected() -> None:
    old = NEWEST.newest_day - timedelta(days=8)
    verdict = gate(knocks(GOOD, data_until=old), None, NEWEST, LIMITS, seed=3)
    assert verdict.reasons == ("freshness: its data ends 8 days before the lake's, expected 7 at most",)
    just = gate(knocks(GOOD, data_until=old + timedelta(days=1)), None, NEWEST, LIMITS, seed=3)
    assert just.passes


def test_a_model_of_another_feature_schema_is_rejected_and_judged_by_nothing_else() -> None:
    told = {**GOOD.to_parameters(), "features": [*FEATURES, "orders_next_7d"]}
    verdict = gate(knocks(told), None, NEWEST, LIMITS, seed=3)
    assert [check.name for check in verdict.checks] == ["schema"]
    assert "orders_next_7d" in verdict.reasons[0]


def test_what_knows_the_future_is_rejected_however_good_it_is() -> None:
    verdict = gate(knocks(GOOD, leaking=("carts_7d",)), None, NEWEST, LIMITS, seed=3)
    assert failed(verdict) == ["leakage"]
    assert "carts_7d: another figure when what came later is taken away" in verdict.reasons[0]
    seen = gate(knocks(GOOD, learned_until=DAY + timedelta(days=1)), None, NEWEST, LIMITS, seed=3)
    assert failed(seen) == ["leakage"]


def test_a_champion_is_replaced_only_by_what_is_better_on_the_same_rows() -> None:
    worse = model({"views_30d": 0.2}, intercept=-1.0)
    assert gate(knocks(GOOD), reigns(worse), NEWEST, LIMITS, seed=3).passes
    for told in (worse, model({"views_30d": 1.0001})):  # a worse one, and one that is the same but for nothing
        verdict = gate(knocks(told), reigns(GOOD), NEWEST, LIMITS, seed=3)
        assert (failed(verdict)[-1], verdict.champion) == ("quality", "4")
        assert "over champion 4" in verdict.table()


def test_a_champion_of_long_ago_is_replaced_by_what_is_not_worse() -> None:
    same = model({"views_30d": 1.0001})
    assert failed(gate(knocks(same), reigns(GOOD, 29), NEWEST, LIMITS, seed=3)) == ["quality"]
    assert gate(knocks(same), reigns(GOOD, 30), NEWEST, LIMITS, seed=3).passes
    worse = model({"views_30d": 0.5}, intercept=-1.0)
    assert "quality" in failed(gate(knocks(worse), reigns(GOOD, 30), NEWEST, LIMITS, seed=3))


def test_a_champion_that_has_seen_the_slice_is_no_measure() -> None:
    seen = replace(reigns(GOOD), learned_until=DAY + timedelta(days=1))
    verdict = gate(knocks(GOOD), seen, NEWEST, LIMITS, seed=3)
    assert failed(verdict) == ["quality"]
    assert "train again later" in verdict.reasons[0]


def test_a_model_that_does_not_keep_its_word_at_a_touch_is_rejected() -> None:
    known = replace(NEWEST.known, rows=NEWEST.known.rows.copy())
    known.rows[known.is_touch, FEATURES.index("carts_7d")] = 3.0
    told = model({"views_30d": 1.0, "carts_7d": 0.5})
    verdict = gate(knocks(told), None, replace(NEWEST, known=known), LIMITS, seed=3)
    assert failed(verdict) == ["calibration"]
    assert [reason.split(":")[1] for reason in verdict.reasons] == [" at a touch"]


def test_few_rows_may_be_off_by_what_chance_leaves_and_no_more() -> None:
    few = slice_of(people=60, seed=9)
    strict = replace(LIMITS, max_calibration_error=0.0)
    assert "calibration" not in failed(gate(knocks(GOOD), None, few, strict, seed=3))
    off = model({"views_30d": 1.0}, intercept=0.0)
    assert "calibration" in failed(gate(knocks(off), None, few, strict, seed=3))


def test_a_model_that_is_too_slow_is_rejected() -> None:
    verdict = gate(knocks(GOOD), None, NEWEST, replace(LIMITS, max_latency_ms=0), seed=3)
    assert failed(verdict) == ["latency"]


def passing(p: Array, off: Array, draws: int = 400) -> float:
    """The truth is known: share of the draws of outcomes, of p + off, in which both checks are met of what says p."""
    random = np.random.default_rng(len(p))
    chance, limit = calibration_chance(p, seed=3), LIMITS.max_calibration_error
    truth = np.clip(p + off, 0.0, 1.0)
    met = []
    for _ in range(2 * draws):
        label = (random.random(len(p)) < truth).astype(float)
        error = expected_calibration_error(reliability(p, label))
        met.append(error <= limit + chance.error and abs(p.mean() - label.mean()) <= limit + chance.bias)
    return float((np.array(met)[::2] & np.array(met)[1::2]).mean())


def test_what_is_off_to_one_side_is_found_before_the_tenths_tell_it() -> None:
    verdict = gate(knocks(model({"views_30d": 1.0}, intercept=-1.65)), None, NEWEST, LIMITS, seed=3)
    told = [check for check in verdict.checks if check.name == "calibration"]
    assert [check.is_met for check in told] == [False, False]
    for check in told:
        error, most, bias, most_bias = (
            float(number) for number in re.findall(r"(?:error|expected|in the mean) ([+-]?[0-9.]+)", check.said)
        )
        assert (error < most, bias > most_bias) == (True, True)


@pytest.mark.parametrize(("count", "too_much"), [(150, 0.2), (600, 0.12), (2400, 0.09)])
def test_a_true_model_passes_at_the_stated_rate_however_few_the_rows_and_a_false_one_fails(
    count: int, too_much: float
) -> None:
    p = sigmoid(np.random.default_rng(count).normal(-1.0, 1.5, count))
    limit = LIMITS.max_calibration_error
    allowed = {
        "true": np.zeros(count),
        "all off by the limit": np.full(count, limit),
        "a tenth off by all of it": -10 * limit * (p > np.quantile(p, 0.9)),
    }
    assert {name: rate for name, off in allowed.items() if (rate := passing(p, off)) < 0.95} == {}
    assert passing(p, np.full(count, too_much)) <= 0.05
    assert passing(p, np.where(p > np.median(p), -1, 1) * 1.5 * too_much) <= 0.05  # too sure, and right in the mean


@pytest.mark.parametrize("is_met", [True, False])
def test_further_checks_count_like_its_own(is_met: bool) -> None:
    drift = Check(name="drift", is_met=is_met, said="two features moved")
    verdict = gate(knocks(GOOD), None, NEWEST, LIMITS, seed=3, also=[drift])
    assert verdict.passes is is_met
    assert verdict.reasons == (() if is_met else ("drift: two features moved",))

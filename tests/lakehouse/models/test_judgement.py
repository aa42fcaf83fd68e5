"""The choice is made on one slice and judged on another; no signal is called no signal."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.fairness.correction import sigmoid
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS
from lakehouse.models.evaluation import expected_calibration_error, platt, reliability
from lakehouse.models.examples import Examples, cut_offs
from lakehouse.models.judgement import (
    BASE_RATE,
    FREQUENCY,
    RECENCY,
    SELECTED,
    baselines,
    judge,
    refitted,
)
from lakehouse.models.score_model import BUYERS, EVERYBODY, LOGISTIC
from lakehouse.models.selection import Question

CUTS = cut_offs(date(2026, 1, 1), date(2026, 12, 31), 28)
QUICK = SETTINGS[:2]  # logistic: quickly fitted
EVERYONE = Question(horizon_days=28, among=EVERYBODY)


def drawn(seed: int, *, signal: float, people: int = 300) -> Examples:
    """A row as time passes and one at a touch of everybody at every cut-off; who looks more buys more, as far as there is a signal."""
    random = np.random.default_rng(seed)
    days = np.repeat([day.toordinal() for day in CUTS.all], 2 * people)
    person = np.tile(np.repeat(np.arange(people), 2), len(CUTS.all))
    rows = np.zeros((len(days), len(FEATURES)))
    taste = random.normal(0, 1, people)[person]
    rows[:, FEATURES.index("views_30d")] = np.expm1(np.maximum(0, 2 + taste))
    rows[:, FEATURES.index("has_ordered")] = person % 2
    rows[:, FEATURES.index("frequency")] = person % 2
    rows[:, FEATURES.index("days_since_order")] = random.integers(0, 120, len(days))
    bought = (random.random(len(days)) < sigmoid(-1.0 + signal * taste)).astype(float)
    touch = np.tile([False, True], len(days) // 2)
    return Examples(rows=rows, happened=bought, person=person, cut_off=days, is_touch=touch)


def test_with_signal_what_is_selected_beats_every_baseline_and_is_calibrated_either_way() -> None:
    found = judge(drawn(1, signal=2.0), CUTS.splits, EVERYONE, seed=3, settings=QUICK)
    assert (found.champion, found.beats_baseline, len(found.chosen)) == (LOGISTIC, True, 5)
    assert found.calibration_error < 0.04
    brier = {who: of_one["brier"].value for who, of_one in found.metrics.items()}
    assert brier[SELECTED] < min(brier[name] for name in (BASE_RATE, RECENCY, FREQUENCY)) - 0.01
    assert sum(one.count for one in found.at_touch) == sum(one.count for one in found.at_pass) == found.rows / 2
    assert found.metrics[SELECTED]["lift"].value > 1.5
    assert found.baseline in (BASE_RATE, RECENCY, FREQUENCY)
    assert brier[found.baseline] == min(brier[name] for name in (BASE_RATE, RECENCY, FREQUENCY))
    assert all(one.learned_until <= one.split.test for one in found.chosen)
    assert all(list(one.tried.loss) == list(QUICK) for one in found.chosen), "no trials: the fixed ones alone"


def test_without_signal_what_is_selected_is_not_called_better_than_the_baseline() -> None:
    found = judge(drawn(1, signal=0.0), CUTS.splits, EVERYONE, seed=3, settings=QUICK)
    assert not found.beats_baseline
    assert "NOT shown to be better" in found.table()
    base = found.metrics[BASE_RATE]["brier"].value
    assert found.metrics[SELECTED]["brier"].value == pytest.approx(base, abs=2e-3)


def test_churn_is_asked_of_buyers_and_is_no_order() -> None:
    known = drawn(1, signal=1.0)
    churn = Question(horizon_days=28, among=BUYERS, is_absence=True)
    asked = churn.asked(known)
    assert len(asked) == len(known) / 2
    assert churn.label(asked).tolist() == (1 - asked.happened).tolist()
    found = judge(known, CUTS.splits[:1], churn, seed=3, settings=QUICK)
    assert found.newest.model.among == BUYERS


def test_figures_of_one_person_are_drawn_together() -> None:
    """Ten times the same rows of each person tell no more than one: the interval must not shrink."""
    known = drawn(1, signal=1.0, people=100)
    often = Examples(
        rows=np.repeat(known.rows, 10, axis=0),
        happened=np.repeat(known.happened, 10),
        person=np.repeat(known.person, 10),
        cut_off=np.repeat(known.cut_off, 10),
        is_touch=np.repeat(known.is_touch, 10),
    )
    once, ten = (judge(one, CUTS.splits[:1], EVERYONE, seed=3, settings=QUICK[:1]) for one in (known, often))
    widths = [one.metrics[RECENCY]["auc"].high - one.metrics[RECENCY]["auc"].low for one in (once, ten)]
    assert widths[1] > 0.8 * widths[0]


def test_baselines_know_the_newest_train_slice_only() -> None:
    def told(days: list[float]) -> Examples:
        rows = np.zeros((len(days), len(FEATURES)))
        rows[:, FEATURES.index("has_ordered")] = 1.0
        rows[:, FEATURES.index("days_since_order")] = days
        zeros = np.zeros(len(days))
        return Examples(
            rows=rows, happened=zeros, person=zeros.astype(int), cut_off=zeros.astype(int), is_touch=zeros > 0
        )

    found = baselines(told([1, 2, 50, 60]), np.array([1.0, 0, 0, 0]), told([3, 70, 200]))
    assert found[BASE_RATE].tolist() == [0.25] * 3
    assert found[RECENCY].tolist() == pytest.approx([1.25 / 3, 0.25 / 3, 0.25])


def test_after_the_choice_the_model_is_made_again_in_the_same_way_of_all_that_is_known() -> None:
    known = drawn(1, signal=2.0)
    found = judge(known, CUTS.splits, EVERYONE, seed=3, settings=QUICK)
    again = refitted(known, CUTS.refit, found, EVERYONE, seed=3)
    assert again.kind == found.champion
    assert again != found.newest.model
    assert refitted(known, found.newest.split.train, found, EVERYONE, seed=3) == found.newest.model


def test_a_calibration_is_of_the_model_that_it_calibrates_where_people_buy_less_and_less() -> None:
    """Calibrated by what a model of older slices said of the newest, what was fitted on the newest, too, would fall twice."""
    random = np.random.default_rng(4)

    def falling(known: Examples) -> Examples:
        weeks = (known.cut_off - min(known.cut_off)) / 7
        bought = random.random(len(known)) < sigmoid(np.log(known.column("views_30d") + 1) - 0.25 * weeks)
        return replace(known, happened=bought.astype(float))

    few, many = (falling(drawn(seed, signal=0.0, people=people)) for seed, people in ((1, 200), (2, 1500)))
    found = judge(few, CUTS.splits[:1], EVERYONE, seed=3, settings=SETTINGS[1:2])
    newest = few.at(CUTS.refit[0])
    served = refitted(few, CUTS.refit, found, EVERYONE, seed=3)
    older = platt(found.newest.model.calibrated(1.0, 0.0).logit(newest.rows), newest.happened)
    of_others = many.at(CUTS.refit[0])
    errors = [
        expected_calibration_error(reliability(told.probability(of_others.rows), of_others.happened))
        for told in (served, served.calibrated(*older))
    ]
    assert errors[0] < 0.05
    assert errors[1] > 2 * errors[0]


def test_one_outcome_of_all_but_a_few_is_one_line() -> None:
    known = drawn(1, signal=0.0, people=30)
    lone = replace(known, happened=(known.person == 7).astype(float))
    with pytest.raises(ModelError, match="too few of one outcome, got 8 of 240 rows"):
        judge(lone, CUTS.splits[:1], EVERYONE, seed=3, settings=QUICK)

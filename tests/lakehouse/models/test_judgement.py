"""The choice is made on one slice and judged on another; no signal is called no signal."""

from datetime import date, timedelta

import numpy as np
import pytest

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS
from lakehouse.models.evaluation import sigmoid
from lakehouse.models.examples import Examples, Split, cut_offs
from lakehouse.models.judgement import BASE_RATE, FREQUENCY, RECENCY, SELECTED, Question, baselines, judge, refitted
from lakehouse.models.score_model import BUYERS, EVERYBODY, LOGISTIC

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


def test_baselines_know_the_validation_slice_only() -> None:
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


def test_after_the_choice_the_model_is_fitted_again_on_all_cut_offs() -> None:
    known = drawn(1, signal=2.0)
    found = judge(known, CUTS.splits, EVERYONE, seed=3, settings=QUICK)
    again = refitted(known, CUTS.refit, found, EVERYONE, seed=3)
    assert again.kind == found.champion
    assert again != found.newest.model
    only_old = Split(train=found.newest.split.train, validation=CUTS.all[-1], test=found.newest.split.test)
    same = refitted(known, only_old.train, found, EVERYONE, seed=3)
    assert dict(same.weights) == dict(found.newest.model.weights)
    assert max(CUTS.refit) - min(CUTS.refit) > timedelta(days=28)

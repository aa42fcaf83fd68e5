"""scikit-learn is the oracle of the metrics; calibration is judged where the true probability is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from lakehouse.fairness.correction import sigmoid
from lakehouse.models import evaluation
from lakehouse.models.evaluation import Array, Bin

OUTCOMES = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=4, max_size=60).filter(
    lambda pairs: len({outcome for _, outcome in pairs}) == 2
)


@settings(deadline=None)
@given(OUTCOMES)
def test_metrics_equal_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    p, y = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    assert evaluation.brier(p, y) == pytest.approx(oracle.brier_score_loss(y, p), abs=1e-12)
    assert evaluation.auc(p, y) == pytest.approx(oracle.roc_auc_score(y, p), abs=1e-12)
    assert evaluation.average_precision(p, y) == pytest.approx(oracle.average_precision_score(y, p), abs=1e-12)
    inner = np.clip(p, 0.01, 0.99)
    assert evaluation.log_loss(inner, y) == pytest.approx(oracle.log_loss(y, inner), abs=1e-12)


def test_one_class_only_has_an_uninformative_ranking() -> None:
    assert evaluation.auc(np.array([0.1, 0.9]), np.zeros(2)) == 0.5
    assert evaluation.average_precision(np.array([0.1, 0.9]), np.zeros(2)) == 0.0


def _known(count: int, seed: int) -> tuple[Array, Array]:
    """True log-odds and outcomes drawn by them."""
    random = np.random.default_rng(seed)
    logit = random.normal(-1.0, 1.5, count)
    return logit, (random.random(count) < sigmoid(logit)).astype(float)


def test_platt_recovers_a_known_distortion() -> None:
    logit, y = _known(200_000, seed=1)
    slope, offset = evaluation.platt((logit - 0.7) / 2.0, y)
    assert (slope, offset) == (pytest.approx(2.0, abs=0.05), pytest.approx(0.7, abs=0.05))


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (3.0, -1.0), (0.3, 1.0)])
def test_calibration_improves_or_keeps_the_brier_score(slope: float, offset: float) -> None:
    logit, y = _known(20_000, seed=2)
    later, outcome = _known(20_000, seed=3)
    fitted = evaluation.platt(slope * logit + offset, y)
    raw = sigmoid(slope * later + offset)
    calibrated = sigmoid(fitted[0] * (slope * later + offset) + fitted[1])
    assert evaluation.brier(calibrated, outcome) <= evaluation.brier(raw, outcome) + 1e-4
    assert evaluation.brier(calibrated, outcome) == pytest.approx(evaluation.brier(sigmoid(later), outcome), abs=1e-4)
    assert evaluation.expected_calibration_error(evaluation.reliability(calibrated, outcome)) < 0.01


def test_platt_stays_finite_on_separable_data() -> None:
    logit = np.array([-2.0, -1.0, 1.0, 2.0])
    assert np.isfinite(evaluation.platt(logit, (logit > 0).astype(float))).all()


def test_a_reliability_table_has_bins_of_equal_count_by_rising_prediction() -> None:
    p, y = np.array([0.9, 0.1, 0.2, 0.8]), np.array([1.0, 0.0, 1.0, 1.0])
    table = evaluation.reliability(p, y, bins=2)
    assert table == (
        Bin(count=2, predicted=pytest.approx(0.15), observed=0.5),
        Bin(count=2, predicted=pytest.approx(0.85), observed=1.0),
    )
    assert evaluation.expected_calibration_error(table) == pytest.approx(0.25)


def test_an_interval_covers_the_figure_and_is_the_same_each_time() -> None:
    logit, y = _known(500, seed=4)
    first, second = (evaluation.estimates(sigmoid(logit), y, seed=9) for _ in range(2))
    assert first == second
    assert all(found.low < found.value < found.high for found in first.values())


def test_the_gain_over_an_equal_baseline_is_zero() -> None:
    logit, y = _known(500, seed=5)
    p = sigmoid(logit)
    assert evaluation.brier_gain(p, p, y, seed=1).high == 0.0


def test_out_of_fold_nobody_is_calibrated_by_a_row_of_their_own() -> None:
    """Several rows of one person share what came of it: a half by rows would know the answer."""
    random = np.random.default_rng(2)
    person = np.repeat(np.arange(20) * 3, 2)
    logit, y = random.normal(size=40), np.repeat(random.integers(0, 2, 20), 2).astype(float)
    before = evaluation.platt_out_of_fold(logit, y, person)
    y[person == 6] = 1 - y[person == 6]
    after = evaluation.platt_out_of_fold(logit, y, person)
    assert after[person == 6].tolist() == before[person == 6].tolist()
    changed = set(person[after != before].tolist())
    assert changed == {3 * one for one in range(20) if one % 2 == 1}

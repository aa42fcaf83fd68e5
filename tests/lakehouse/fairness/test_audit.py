import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio, equalized_odds_difference

from lakehouse.fairness.audit import audit


def people(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    groups = random.choice(["a", "b", "c"], 900, p=[0.5, 0.3, 0.2]).astype(object)
    score = np.clip(random.beta(2, 4, 900) + 0.1 * (groups == "a"), 0, 1)
    outcome = (random.random(900) < score).astype(float)
    return groups, (score > 0.4).astype(float), outcome, score


@pytest.mark.parametrize("seed", range(5))
def test_the_differences_are_fairlearns(seed: int) -> None:
    groups, selected, outcome, score = people(seed)
    found = audit(groups, selected, outcome, score)
    told = {"y_true": outcome, "y_pred": selected, "sensitive_features": groups}
    assert found.demographic_parity_difference == pytest.approx(demographic_parity_difference(**told), abs=1e-12)
    assert found.disparate_impact == pytest.approx(demographic_parity_ratio(**told), abs=1e-12)
    assert found.equalized_odds_difference == pytest.approx(equalized_odds_difference(**told), abs=1e-12)


def test_figures_of_a_group_by_hand() -> None:
    groups = np.array(["x", "x", "x", "x", "y"], dtype=object)
    found = audit(
        groups,
        np.array([1.0, 1, 0, 0, 0]),
        np.array([1.0, 0, 0, 1, 0]),
        np.array([0.9, 0.8, 0.2, 0.5, 0.1]),
        least_rows=1,
    )
    x = found.groups["x"]
    assert (x.rows, x.selection_rate, x.true_positive_rate, x.false_positive_rate) == (4, 0.5, 0.5, 0.5)
    assert (x.predicted, x.observed) == pytest.approx((0.6, 0.5))
    assert found.groups["y"].true_positive_rate is None  # nobody of it had the outcome
    assert found.equalized_odds_difference is None
    assert found.disparate_impact == 0


def test_a_small_group_is_told_and_not_compared() -> None:
    groups = np.array(["x"] * 60 + ["y"] * 60 + ["z"] * 3, dtype=object)
    selected = np.array([1.0] * 30 + [0.0] * 30 + [1.0] * 30 + [0.0] * 30 + [0.0] * 3)
    found = audit(groups, selected)
    assert (found.demographic_parity_difference, found.disparate_impact) == (0, 1)
    assert found.groups["z"].selection_rate == 0
    assert not found.groups["z"].is_compared


def test_whose_group_is_not_known_are_a_group() -> None:
    found = audit(np.array([None, float("nan"), "x"], dtype=object), np.ones(3))
    assert {name: one.rows for name, one in found.groups.items()} == {"unknown": 2, "x": 1}
    assert found.demographic_parity_difference is None


def test_nobody_chosen_has_no_impact() -> None:
    found = audit(np.array(["x", "y"] * 50, dtype=object), np.zeros(100))
    assert (found.demographic_parity_difference, found.disparate_impact) == (0, None)

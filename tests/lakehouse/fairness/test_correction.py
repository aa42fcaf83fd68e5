import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.linear_model import LogisticRegression

from lakehouse.fairness.correction import learn, learn_shifts


def people(seed: int, rows: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, what is known of them, and outcomes that are rarer in one."""
    random = np.random.default_rng(seed)
    groups = random.choice(["a", "b"], rows, p=[0.7, 0.3]).astype(object)
    known = random.normal(0, 1, rows) + 0.8 * (groups == "a")
    return groups, known, (random.random(rows) < 1 / (1 + np.exp(1 - 1.5 * known))).astype(float)


def test_groups_are_chosen_alike_at_no_more_than_fairlearns_price() -> None:
    groups, known, outcome = people(1)
    fresh_groups, fresh_known, fresh_outcome = people(2)
    model = LogisticRegression().fit(known[:, None], outcome)
    score, fresh_score = (model.predict_proba(one[:, None])[:, 1] for one in (known, fresh_known))
    chosen = learn_shifts(groups, score, outcome, 0.3).apply(fresh_groups, fresh_score) >= 0.3
    oracle = ThresholdOptimizer(
        estimator=model, constraints="demographic_parity", prefit=True, predict_method="predict_proba"
    )
    oracle.fit(known[:, None], outcome, sensitive_features=groups)
    its = oracle.predict(fresh_known[:, None], sensitive_features=fresh_groups, random_state=7)
    before = demographic_parity_difference(fresh_outcome, fresh_score >= 0.5, sensitive_features=fresh_groups)
    assert before > 0.1
    assert demographic_parity_difference(fresh_outcome, chosen, sensitive_features=fresh_groups) < 0.03
    assert (chosen == fresh_outcome).mean() == pytest.approx((its == fresh_outcome).mean(), abs=0.01)
    assert (chosen == fresh_outcome).mean() < ((fresh_score >= 0.5) == fresh_outcome).mean()


def test_a_group_that_was_not_there_is_chosen_as_everybody_was() -> None:
    groups, known, outcome = people(3, rows=500)
    score = 1 / (1 + np.exp(1 - 1.5 * known))
    cut, shifts = learn(groups, score, outcome).general[0], learn_shifts(groups, score, outcome, 0.3)
    told = shifts.apply(np.array(["new", "new"], dtype=object), np.array([cut + 0.01, cut - 0.01]))
    assert (told >= 0.3).tolist() == [True, False]


def test_one_threshold_chooses_each_group_at_the_rate_once_scores_are_shifted() -> None:
    groups, known, outcome = people(1)
    score = 1 / (1 + np.exp(1 - 1.5 * known))
    found, shifts = learn(groups, score, outcome), learn_shifts(groups, score, outcome, 0.3)
    after = shifts.apply(groups, score)
    for name in "ab":
        chosen = after[groups == name] >= 0.3
        assert chosen.mean() == pytest.approx(found.rate, abs=2 / (groups == name).sum())
        assert np.array_equal(chosen, score[groups == name] >= shifts.cut(name, 0.3))
        order = np.argsort(score[groups == name])
        assert (np.diff(after[groups == name][order]) > 0).all(), "nobody of a group passes another"
    assert shifts.by_group["a"] < shifts.by_group["b"]


def test_equal_scores_stay_together_on_the_nearer_side_and_who_is_of_no_group_is_of_an_unknown_one() -> None:
    groups = np.array(["a"] * 100 + ["unknown"] * 100, dtype=object)
    score = np.array(([0.9] * 60 + [0.1] * 40) + ([0.5] * 100))
    outcome = np.array([1.0] * 60 + [0.0] * 40 + [1.0] * 60 + [0.0] * 40)
    shifts = learn_shifts(groups, score, outcome, 0.3)
    chosen = shifts.apply(groups, score) >= 0.3
    assert chosen.tolist() == [True] * 60 + [False] * 40 + [True] * 100
    assert (
        shifts.apply(np.array([None, np.nan], dtype=object), np.array([0.5, 0.5])).tolist()
        == [shifts.apply(groups[-1:], score[-1:])[0]] * 2
    )
    assert shifts.apply(np.array(["new"], dtype=object), np.array([0.9])) >= 0.3
    assert np.isfinite(
        learn_shifts(groups[:100], np.zeros(100), np.zeros(100), 0.3).apply(groups[:1], np.ones(1))
    ).all()


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="no row"):
        learn(np.empty(0, dtype=object), np.empty(0), np.empty(0))

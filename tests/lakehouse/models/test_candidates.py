"""The plain values read out of a fitted model say what the model says."""

from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import EPOCHS, HIDDEN, SETTINGS, TREES, Setting, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.one_thread import one_thread
from lakehouse.models.score_model import BOOSTED, EVERYBODY, FOREST, LOGISTIC, XGBOOST
from lakehouse.models.trees import Trees
from tests.lakehouse.models.test_score_model import drawn


def xgboosted(setting: Setting, rows: Array, label: Array) -> xgboost.XGBClassifier:
    return xgboost.XGBClassifier(
        **setting.options, n_estimators=TREES, tree_method="hist", n_jobs=1, random_state=3
    ).fit(rows, label)


def oracle(setting: Setting, rows: Array, label: Array, asked: Array) -> Array:
    options: dict[str, Any] = dict(setting.options)
    if setting.kind == FOREST:
        forest = RandomForestClassifier(**options, n_estimators=TREES, random_state=3).fit(rows, label)
        return np.clip(forest.predict_proba(asked)[:, 1], 1e-6, 1 - 1e-6)
    if setting.kind == BOOSTED:
        boosted = HistGradientBoostingClassifier(
            **options, max_iter=TREES, min_samples_leaf=20, early_stopping=False, random_state=3
        )
        return boosted.fit(rows, label).predict_proba(asked)[:, 1]
    if setting.kind == XGBOOST:
        found: Array = xgboosted(setting, rows, label).predict_proba(asked)[:, 1]
        return found
    scaler = StandardScaler().fit(np.log1p(rows))
    known, new = scaler.transform(np.log1p(rows)), scaler.transform(np.log1p(asked))
    if setting.kind == LOGISTIC:
        return LogisticRegression(**options, max_iter=300).fit(known, label).predict_proba(new)[:, 1]
    network = MLPClassifier(
        **options, hidden_layer_sizes=(HIDDEN,), max_iter=EPOCHS, batch_size=256, random_state=3
    ).fit(known, label)
    return network.predict_proba(new)[:, 1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_plain_values_equal_scikit_learn_on_rows_it_has_not_seen(setting: Setting) -> None:
    (rows, label), (asked, _) = drawn(1), drawn(2)
    told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3).probability(asked)
    with one_thread():
        theirs = oracle(setting, rows, label, asked)
    assert told == pytest.approx(theirs, abs=1e-6 if setting.kind in (LOGISTIC, XGBOOST) else 1e-9)
    assert told.std() > 0.05


def test_the_same_seed_gives_the_same_model() -> None:
    rows, label = drawn(1, count=300)
    first, second = (
        [fit(one, rows, label, horizon_days=30, among=EVERYBODY, seed=5) for one in SETTINGS] for _ in range(2)
    )
    assert first == second


def test_features_that_are_all_equal_are_learned_nothing_from() -> None:
    rows, label = np.full((200, len(FEATURES)), 2.0), np.tile([0.0, 1.0], 100)
    for setting in SETTINGS:
        told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3).probability(rows)
        assert told == pytest.approx(np.full(200, told[0]))


def test_xgboost_goes_left_below_a_cut_in_single_precision_and_so_does_what_is_read_out() -> None:
    """Rows at each cut of the trees, and one step of a single below it."""
    rows, label = drawn(1)
    setting = Setting(kind=XGBOOST, options={"max_depth": 4, "learning_rate": 0.3})
    told = fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3)
    trees = Trees.from_parameters(told.trees)
    inner = np.flatnonzero(trees.left != np.arange(len(trees.left)))
    below = trees.threshold[inner].astype(np.float32)
    at = np.nextafter(below, np.float32(np.inf))
    for values in (at, below, at.astype(np.float64) - 1e-12):
        asked = np.repeat(rows[:1], len(inner), axis=0)
        asked[np.arange(len(inner)), trees.feature[inner]] = values
        theirs = xgboosted(setting, rows, label).predict_proba(asked)[:, 1]
        assert told.probability(asked) == pytest.approx(theirs, abs=1e-6)
    step = told.logit(asked).std()
    assert step > 0.01


def test_what_is_not_there_is_no_feature_and_no_model_is_made_of_it() -> None:
    """Features are never null; a library that learned where to send what is missing would answer what nobody else does."""
    rows, label = drawn(1, count=100)
    rows[3, 4] = np.nan
    for setting in SETTINGS:
        with pytest.raises(ModelError, match="carts_30d: not a number in 1 of 100 rows, expected none"):
            fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3)

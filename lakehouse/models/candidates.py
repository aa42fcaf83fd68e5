"""The candidates for a score, fitted by scikit-learn and XGBoost and read out as plain values. For training only.

Logistic regression and the network see ln(1 + feature), scaled: counts and money have long tails. Trees see features as they are. No class is
weighted and no row drawn twice where outcomes are rare: what is asked for is a probability, and that would bend it.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ModelError
from lakehouse.fairness.correction import to_logit
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.evaluation import Array
from lakehouse.models.one_thread import one_thread
from lakehouse.models.score_model import BOOSTED, FOREST, LOGISTIC, NETWORK, XGBOOST, ScoreModel
from lakehouse.models.trees import Trees

TREES = 60
HIDDEN = 16
EPOCHS = 30


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of model and what it is fitted with, by the names that its library has."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return " ".join([self.kind, *(f"{name}={value}" for name, value in self.options.items())])


SETTINGS = (
    Setting(kind=LOGISTIC, options={"C": 0.01}),
    Setting(kind=LOGISTIC, options={"C": 1.0}),
    Setting(kind=FOREST, options={"max_depth": 6, "min_samples_leaf": 20}),
    Setting(kind=FOREST, options={"max_depth": 6, "min_samples_leaf": 100}),
    Setting(kind=BOOSTED, options={"max_depth": 3, "learning_rate": 0.1}),
    Setting(kind=BOOSTED, options={"max_depth": 2, "learning_rate": 0.05}),
    Setting(kind=NETWORK, options={"alpha": 0.01}),
    Setting(kind=NETWORK, options={"alpha": 1.0}),
    Setting(kind=XGBOOST, options={"max_depth": 3, "learning_rate": 0.1}),
    Setting(kind=XGBOOST, options={"max_depth": 2, "learning_rate": 0.05}),
)
"""Fitted on every split; what else is tried there says scores.search_trials, see lakehouse/models/search.py."""


def fit(setting: Setting, rows: Array, label: Array, *, horizon_days: int, among: str, seed: int) -> ScoreModel:
    """Rows x FEATURES and outcomes 0 or 1 -> a model that is not calibrated yet. Both outcomes must be among them.

    Raises:
        ModelError: a figure is not a number.
    """
    _check(rows)
    kinds = {LOGISTIC: _logistic, FOREST: _forest, BOOSTED: _boosted, NETWORK: _network, XGBOOST: _xgboost}
    made = kinds[setting.kind]
    with one_thread():
        learned = made(setting.options, rows, label, seed)
    learned["usual"] = dict(zip(FEATURES, np.median(rows, axis=0).tolist(), strict=True))
    return ScoreModel(
        version="", kind=setting.kind, horizon_days=horizon_days, among=among, slope=1.0, offset=0.0, **learned
    )


def _check(rows: Array) -> None:
    """Some of the libraries learn where to send what is missing; the plain arrays know nothing of it, and features are never null."""
    missing = np.isnan(rows).sum(axis=0)
    if missing.any():
        place = int(missing.argmax())
        raise ModelError(
            f"train_scores: {FEATURES[place]}: not a number in {missing[place]} of {len(rows)} rows, expected none. "
            "Run ./spark-submit.sh batch/rebuild.py --check"
        )


def _scaled_logs(rows: Array) -> tuple[Array, Array, Array]:
    """Logs in standard units, their means and deviations; a constant has deviation 1, so that it becomes 0."""
    logs = np.log1p(np.maximum(rows, 0.0))
    means, deviations = logs.mean(axis=0), logs.std(axis=0)
    deviations = np.where(deviations > 1e-9, deviations, 1.0)
    return (logs - means) / deviations, means, deviations


def _logistic(options: Mapping[str, Any], rows: Array, label: Array, seed: int) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    scaled, means, deviations = _scaled_logs(rows)
    model = LogisticRegression(**options, max_iter=300, random_state=seed).fit(scaled, label)
    slopes = model.coef_[0] / deviations
    return {
        "intercept": float(model.intercept_[0] - slopes @ means),
        "weights": dict(zip(FEATURES, slopes.tolist(), strict=True)),
    }


def _network(options: Mapping[str, Any], rows: Array, label: Array, seed: int) -> dict[str, Any]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    scaled, means, deviations = _scaled_logs(rows)
    model = MLPClassifier(
        **options, hidden_layer_sizes=(HIDDEN,), max_iter=EPOCHS, batch_size=min(256, len(rows)), random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # so many rounds are the budget; people held out say what they are worth
        model.fit(scaled, label)
    first, *others = model.coefs_
    offsets = [model.intercepts_[0] - (means / deviations) @ first, *model.intercepts_[1:]]
    weights = [first / deviations[:, None], *others]
    layers = zip(weights, offsets, strict=True)
    return {"layers": tuple({"weights": w.tolist(), "offsets": b.tolist()} for w, b in layers)}


def _forest(options: Mapping[str, Any], rows: Array, label: Array, seed: int) -> dict[str, Any]:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(**options, n_estimators=TREES, random_state=seed).fit(rows, label)
    grown = []
    for each in model.estimators_:
        nodes = each.tree_
        counts = nodes.value[:, 0, :]
        share = counts[:, 1] / counts.sum(axis=1)
        is_leaf = nodes.children_left < 0
        grown.append(
            Trees.one(
                nodes.feature, nodes.threshold, nodes.children_left, nodes.children_right, share / TREES, is_leaf,
                int(nodes.max_depth),
            )
        )  # fmt: skip
    return {"trees": Trees.of(grown).to_parameters()}


def _boosted(options: Mapping[str, Any], rows: Array, label: Array, seed: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        **{"min_samples_leaf": 20, **options}, max_iter=TREES, early_stopping=False, random_state=seed
    ).fit(rows, label)
    grown = []
    for (each,) in model._predictors:  # not public; a test holds what is read out of it to the model's own answers
        nodes = each.nodes
        grown.append(
            Trees.one(
                nodes["feature_idx"], nodes["num_threshold"], nodes["left"], nodes["right"], nodes["value"],
                nodes["is_leaf"] == 1, int(nodes["depth"].max()),
            )
        )  # fmt: skip
    return {"intercept": float(model._baseline_prediction.ravel()[0]), "trees": Trees.of(grown).to_parameters()}


def _xgboost(options: Mapping[str, Any], rows: Array, label: Array, seed: int) -> dict[str, Any]:
    import xgboost

    model = xgboost.XGBClassifier(**options, n_estimators=TREES, tree_method="hist", n_jobs=1, random_state=seed)
    learner = json.loads(model.fit(rows, label).get_booster().save_raw("json"))["learner"]
    share = float(np.ravel(json.loads(learner["learner_model_param"]["base_score"]))[0])
    grown = []
    for nodes in learner["gradient_booster"]["model"]["trees"]:
        left, right = np.array(nodes["left_children"]), np.array(nodes["right_children"])
        cuts = np.array(nodes["split_conditions"], dtype=np.float32)
        below = np.nextafter(cuts, np.float32(-np.inf))  # it goes left below the cut, Trees up to the threshold
        grown.append(Trees.one(nodes["split_indices"], below, left, right, cuts, left < 0, _depth(left, right)))
    return {"intercept": float(to_logit(np.array([share]))[0]), "trees": Trees.of(grown).to_parameters()}


def _depth(left: NDArray[np.integer[Any]], right: NDArray[np.integer[Any]]) -> int:
    """Steps from the root, node 0, to the farthest leaf; a leaf has children below 0."""
    depth, level = -1, np.array([0])
    while level.size:
        below = np.concatenate([left[level], right[level]])
        depth, level = depth + 1, below[below >= 0]
    return depth

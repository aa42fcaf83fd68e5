"""The candidates for a score, fitted by scikit-learn and read out as plain values. For training only.

Logistic regression and the network see ln(1 + feature), scaled: counts and money have long tails. Trees see features as they are. No class is
weighted and no row drawn twice where outcomes are rare: what is asked for is a probability, and that would bend it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.evaluation import Array
from lakehouse.models.one_thread import one_thread
from lakehouse.models.score_model import BOOSTED, FOREST, LOGISTIC, NETWORK, ScoreModel
from lakehouse.models.trees import Trees

TREES = 60
HIDDEN = 16
EPOCHS = 30


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of model and what it is fitted with, by the names that scikit-learn has."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

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
)
"""The budget of a training: these are fitted on every split, and no others."""


def fit(setting: Setting, rows: Array, label: Array, *, horizon_days: int, among: str, seed: int) -> ScoreModel:
    """Rows x FEATURES and outcomes 0 or 1 -> a model that is not calibrated yet. Both outcomes must be among them."""
    made = {LOGISTIC: _logistic, FOREST: _forest, BOOSTED: _boosted, NETWORK: _network}[setting.kind]
    with one_thread():
        learned = made(setting.options, rows, label, seed)
    learned["usual"] = dict(zip(FEATURES, np.median(rows, axis=0).tolist(), strict=True))
    return ScoreModel(
        version="", kind=setting.kind, horizon_days=horizon_days, among=among, slope=1.0, offset=0.0, **learned
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
        **options, max_iter=TREES, min_samples_leaf=20, early_stopping=False, random_state=seed
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

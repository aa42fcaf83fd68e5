"""A calibrated probability over FEATURES, from stored parameters: plain arrays, evaluated by numpy wherever a score is made.

    logistic   logit = intercept + sum of weight * ln(1 + feature)
    network    the same logs through layers of rectified linear units, the last of them one logit
    forest     logit of the mean of the trees' leaves, each a share; features in single precision, as scikit-learn's trees read them
    boosted    logit = intercept + sum of the trees' leaves
    xgboost    the same; features in single precision, as XGBoost's trees read them
    all        probability = 1 / (1 + exp(-(slope * logit + offset)))     Platt scaling, out of fold of people

Of a model with `shifts`, and where fairness.corrects names their groups, the log-odds are moved by group at last (lakehouse/fairness/correction.py).

Platt, J. (1999), Probabilistic outputs for support vector machines. One evaluation runs in training, in the micro-batch (in a Python worker, over
Arrow arrays) and in a rebuild: a formula in Spark SQL would be a second one. Who serves reads the number and needs none of it. A
profile's answer is the same to the last bit whoever else is in the batch; BLAS does not promise that, so nothing here calls it.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column

from lakehouse.errors import ModelError
from lakehouse.fairness.audit import Names
from lakehouse.fairness.correction import Shifts, sigmoid, to_logit
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models import shapley
from lakehouse.models.reasons import reasons
from lakehouse.models.trees import Trees
from lakehouse.spark.arrow_function import arrow_function

LOGISTIC = "logistic"
NETWORK = "network"
FOREST = "forest"
BOOSTED = "boosted"
XGBOOST = "xgboost"
KINDS = (LOGISTIC, NETWORK, FOREST, BOOSTED, XGBOOST)

EVERYBODY = "everybody"
BUYERS = "buyers"

Array = NDArray[np.float64]
_LEAST = 1e-6  # a forest's share of exactly 0 or 1 has no logit
_HAS_ORDERED = FEATURES.index("has_ordered")


@dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """A scores model as plain values.

    among: whom it speaks of; of others it says nothing. weights, intercept: of LOGISTIC; intercept of BOOSTED and XGBOOST, too. layers: of NETWORK, each
    {"weights": inputs x outputs, "offsets"}. trees: of FOREST, BOOSTED and XGBOOST, see Trees. usual: median of each feature at training, for reasons; empty = of a
    release before. corrects: column of the groups that `shifts` and `general_shift` are by, such as gold.contacts.country; empty = it has none.
    """

    version: str
    kind: str
    horizon_days: int
    slope: float
    offset: float
    among: str = EVERYBODY
    intercept: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    layers: tuple[Mapping[str, Any], ...] = ()
    trees: Mapping[str, Any] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = FEATURES
    corrects: str = ""
    shifts: Mapping[str, float] = field(default_factory=dict)
    general_shift: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(f"scores model {self.version}: kind {self.kind!r}, expected one of {KINDS}. Retrain")
        if tuple(self.features) != FEATURES:
            raise ModelError(
                f"scores model {self.version}: trained on other features, got {list(self.features)}, "
                f"expected {list(FEATURES)}. Run ./spark-submit.sh ml/train_scores.py"
            )
        if not isinstance(self.trees, Mapping):
            raise ModelError(
                f"scores model {self.version}: trees of an older layout, got a list of them, expected arrays of nodes. "
                "Run ./spark-submit.sh ml/train_scores.py"
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        told = {**parameters, "features": tuple(parameters["features"]), "layers": tuple(parameters.get("layers", ()))}
        if parameters.get("trees") == []:  # as releases before this one wrote a model without trees
            told["trees"] = {}
        return cls(version=version, **told)

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready; the version is the registry's to give."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "version"}

    def calibrated(self, slope: float, offset: float) -> Self:
        return dataclasses.replace(self, slope=slope, offset=offset)

    def probability(self, rows: Array) -> Array:
        """The calibrated probability, 0 to 1, of rows x FEATURES."""
        return sigmoid(self.scaled(rows))

    def corrected(self, p: Array, groups: Names) -> Array:
        """Probabilities, moved by the group of each; null = of an unknown one."""
        return Shifts(by_group=self.shifts, general=self.general_shift).apply(groups, p)

    def speaks_of(self, rows: Array) -> NDArray[np.bool_]:
        """Whether it says anything of a row."""
        return np.asarray(rows[:, _HAS_ORDERED] > 0) if self.among == BUYERS else np.ones(len(rows), dtype=bool)

    def logit(self, rows: Array) -> Array:
        """Log-odds before calibration."""
        if self.kind in (BOOSTED, XGBOOST):
            return self.intercept + self._nodes.sum(self._as_split(rows))
        if self.kind == FOREST:
            return _logit_of_share(self._nodes.sum(self._as_split(rows)))
        logs = _logs(rows)
        if self.kind == NETWORK:
            return self._through_layers(logs)
        total = np.full(len(rows), self.intercept)
        for name, weight in self.weights.items():
            total += weight * logs[:, FEATURES.index(name)]
        return total

    def contributions(self, rows: Array, *, more_orders: int = 1) -> Array:
        """Calibrated log-odds that each feature adds to those of the usual: Shapley values, see lakehouse/models/shapley.py. Rows x FEATURES.

        Exact but of a forest and a network. Before any correction by group. They sum to `scaled` of the row less that of `usual`, which must be there.

        more_orders: so many times the orders as are served, to see how far those are off.
        """
        usual = np.array([self.usual[name] for name in FEATURES])
        if self.kind == LOGISTIC:
            weights = np.array([self.weights.get(name, 0.0) for name in FEATURES])
            return self.slope * weights * (_logs(rows) - _logs(usual))
        explained = self._of_network if self.kind == NETWORK else self._of_trees
        return self.slope * shapley.in_parts(rows, functools.partial(explained, usual, more_orders))

    def _of_trees(self, usual: Array, more_orders: int, rows: Array) -> Array:
        met = shapley.met(self._nodes, self._as_split(rows), self._as_split(usual))
        of_sum = met.shapley(len(FEATURES))
        if self.kind != FOREST:
            return of_sum
        return shapley.of_curve(met.walk, _logit_of_share, of_sum, shapley.PAIRS_OF_CURVE * more_orders)

    def _of_network(self, usual: Array, more_orders: int, rows: Array) -> Array:
        (weights, offsets), *_ = self._arrays
        moved = _logs(rows) - _logs(usual)
        none = np.cumsum([offsets, *(_logs(usual)[:, None] * weights)], axis=0)[-1]

        def walk(order: shapley.Order) -> Array:
            steps = moved[:, order, None] * weights[order]
            sums = np.cumsum(np.concatenate([np.broadcast_to(none, (len(rows), 1, len(none))), steps], axis=1), axis=1)
            return self._after_first(sums.reshape(-1, len(none))).reshape(len(rows), -1)

        return shapley.sampled(walk, len(FEATURES), shapley.PAIRS * more_orders)

    def _as_split(self, rows: Array) -> NDArray[np.floating[Any]]:
        """As the trees' thresholds are compared with."""
        return rows if self.kind == BOOSTED else rows.astype(np.float32)

    @cached_property
    def value(self) -> Column:
        """The calibrated probability over FEATURES; null of whom it does not speak."""
        return arrow_function(_answer(dataclasses.replace(self)), "double")(*FEATURES)

    def value_of(self, group: Column) -> Column:
        """`value`, corrected by the group, a text."""
        return arrow_function(_answer(dataclasses.replace(self)), "double")(*FEATURES, group)

    @cached_property
    def reasons(self) -> Column:
        """Why, in words, over FEATURES: see lakehouse/models/reasons.py; null of whom it does not speak, and of a model of a release before."""
        return arrow_function(_reasons(dataclasses.replace(self)), "array<string>")(*FEATURES)

    def scaled(self, rows: Array) -> Array:
        """Calibrated log-odds."""
        return self.slope * self.logit(rows) + self.offset

    @cached_property
    def _nodes(self) -> Trees:
        return Trees.from_parameters(self.trees)

    def _through_layers(self, values: Array) -> Array:
        return self._after_first(_layer(values, *self._arrays[0]))

    def _after_first(self, sums: Array) -> Array:
        """Log-odds, of the sums that come out of the first layer."""
        for weights, offsets in self._arrays[1:]:
            sums = _layer(np.maximum(sums, 0.0), weights, offsets)
        return sums[:, 0]

    @cached_property
    def _arrays(self) -> tuple[tuple[Array, Array], ...]:
        layers = ((np.asarray(one["weights"], float), np.asarray(one["offsets"], float)) for one in self.layers)
        return tuple(layers)


def _logs(values: Array) -> Array:
    return np.log1p(np.maximum(values, 0.0))


def _logit_of_share(share: Array) -> Array:
    return to_logit(np.clip(share, _LEAST, 1 - _LEAST))


def _layer(values: Array, weights: Array, offsets: Array) -> Array:
    total = np.repeat(offsets[None, :], len(values), axis=0)
    for place, outputs in enumerate(weights):
        total += values[:, place, None] * outputs
    return total


def _reasons(model: ScoreModel) -> Callable[..., pa.Array]:
    def answer(*columns: pa.Array) -> pa.Array:
        rows = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        told = reasons(model.contributions(rows), rows) if model.usual else []
        asked = model.speaks_of(rows) if model.usual else np.zeros(len(rows), dtype=bool)
        return pa.array([told[row] if is_asked else None for row, is_asked in enumerate(asked)], pa.list_(pa.string()))

    return answer


def _answer(model: ScoreModel) -> Callable[..., pa.Array]:
    """Over FEATURES; over FEATURES and a group, corrected."""

    def answer(*columns: pa.Array) -> pa.Array:
        rows = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns[: len(FEATURES)]])
        p = model.probability(rows)
        for groups in columns[len(FEATURES) :]:
            p = model.corrected(p, np.array(groups.to_pylist(), dtype=object))
        return pa.array(p, pa.float64(), mask=~model.speaks_of(rows))

    return answer

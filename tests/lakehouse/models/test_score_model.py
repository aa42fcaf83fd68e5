"""A scores model is arithmetic on the features, the same in numpy and in Spark, and refuses features it was not trained on."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.reasons import reasons
from lakehouse.models.score_model import BOOSTED, BUYERS, EVERYBODY, FOREST, LOGISTIC, NETWORK, ScoreModel
from lakehouse.models.trees import Trees


def model(**changes: Any) -> ScoreModel:
    plain: dict[str, Any] = {"version": "7", "kind": LOGISTIC, "horizon_days": 30, "slope": 1.0, "offset": 0.0}
    return ScoreModel(**{**plain, **changes})


def row(**given: float) -> Array:
    return np.array([[given.get(name, 0.0) for name in FEATURES]])


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_a_logistic_score_is_the_calibrated_sigmoid_of_weighted_logs() -> None:
    told = model(intercept=-1.0, weights={"views_7d": 0.5, "frequency": 2.0}, slope=0.8, offset=0.1)
    logit = -1.0 + 0.5 * math.log(4) + 2.0 * math.log(2)
    assert told.probability(row(views_7d=3.0, frequency=1.0)) == pytest.approx([sigmoid(0.8 * logit + 0.1)], abs=1e-12)
    assert told.probability(row()) == pytest.approx([sigmoid(0.1 - 0.8)], abs=1e-12)


def stump(feature: str, threshold: float, left: float, right: float) -> Trees:
    place = FEATURES.index(feature)
    return Trees.one([place, 0, 0], [threshold, 0, 0], [1, 0, 0], [2, 0, 0], [9, left, right], [False, True, True], 1)


def test_trees_go_left_up_to_the_threshold_and_their_leaves_add_up() -> None:
    trees = Trees.of([stump("frequency", 1.5, -0.25, 1e-05), Trees.one([0], [0], [0], [0], [-0.5], [True], 0)])
    told = model(kind=BOOSTED, intercept=0.125, trees=trees.to_parameters())
    assert told.logit(row(frequency=1.5)) == pytest.approx([0.125 - 0.25 - 0.5], abs=1e-12)
    assert told.logit(row(frequency=2.0)) == pytest.approx([0.125 + 1e-05 - 0.5], abs=1e-12)


def test_a_forest_reads_features_in_single_precision_and_answers_no_certainty() -> None:
    told = model(kind=FOREST, trees=stump("views_7d", 16777216.0, 0.0, 0.75).to_parameters())
    assert told.probability(row(views_7d=16777217.0)) == pytest.approx([1e-6])  # as scikit-learn's trees read it
    assert told.probability(row(views_7d=16777218.0)) == pytest.approx([0.75])


def test_a_network_is_rectified_between_its_layers_and_not_after_the_last() -> None:
    first = np.zeros((len(FEATURES), 2))
    first[FEATURES.index("views_7d")] = [1.0, -1.0]
    layers = ({"weights": first.tolist(), "offsets": [0.0, 0.0]}, {"weights": [[-2.0], [5.0]], "offsets": [0.5]})
    told = model(kind=NETWORK, layers=layers)
    assert told.logit(row(views_7d=math.e - 1)) == pytest.approx([0.5 - 2.0], abs=1e-12)


def test_a_model_of_buyers_says_nothing_of_others() -> None:
    rows = np.concatenate([row(has_ordered=1.0), row()])
    assert model(among=BUYERS).speaks_of(rows).tolist() == [True, False]
    assert model(among=EVERYBODY).speaks_of(rows).tolist() == [True, True]


def drawn(seed: int, count: int = 900) -> tuple[Array, Array]:
    """Rows x FEATURES, and outcomes by views and recency; one feature does not vary."""
    random = np.random.default_rng(seed)
    rows = np.round(random.gamma(1.0, 8.0, (count, len(FEATURES))), 3)
    rows[:, FEATURES.index("carts_7d")] = math.pi
    rows[:, FEATURES.index("has_ordered")] = random.integers(0, 2, count)
    views, since = (rows[:, FEATURES.index(name)] for name in ("views_30d", "days_since_order"))
    return rows, (random.random(count) < 1 / (1 + (1 + since) / (1 + views))).astype(float)


def test_spark_gives_what_numpy_gives_whoever_else_is_asked(spark: SparkSession) -> None:
    """The one evaluation: in a micro-batch, in a rebuild, in training. To the last bit."""
    rows, label = drawn(1)
    kinds = {setting.kind: setting for setting in SETTINGS}
    models = {
        kind: fit(one, rows, label, horizon_days=30, among=BUYERS, seed=3).calibrated(0.9, -0.1)
        for kind, one in kinds.items()
    }
    told = spark.createDataFrame(rows.tolist(), ", ".join(f"{name} double" for name in FEATURES)).repartition(2)
    corrected = replace(models[LOGISTIC], corrects="gold.contacts.country", shifts={"DE": 1.0}, general_shift=-1.0)
    country = F.when(F.col("views_30d") > 8, "DE").otherwise(F.when(F.col("views_30d") > 4, "FR"))
    found = told.select(
        *FEATURES,
        country.alias("country"),
        corrected.value_of(country).alias("corrected"),
        *(one.value.alias(kind) for kind, one in models.items()),
        *(one.reasons.alias(f"{kind}_why") for kind, one in models.items()),
    ).toPandas()
    again = found[list(FEATURES)].to_numpy()
    has_ordered: np.ndarray = again[:, FEATURES.index("has_ordered")] > 0
    for kind, one in models.items():
        here = np.array([one.probability(each[None, :])[0] for each in again[:50]])
        assert found[kind].isna().to_numpy().tolist() == (~has_ordered).tolist()
        assert np.array_equal(found[kind].to_numpy()[:50][has_ordered[:50]], here[has_ordered[:50]])
        assert found[kind].std() > 0.05
        why = reasons(one.contributions(again), again)
        told_why = [None if each is None else list(each) for each in found[f"{kind}_why"]]
        assert told_why == [
            each if is_asked else None for each, is_asked in zip(why, has_ordered.tolist(), strict=True)
        ]
    shift = np.log(found["corrected"] / (1 - found["corrected"])) - np.log(found[LOGISTIC] / (1 - found[LOGISTIC]))
    assert shift[has_ordered].to_numpy() == pytest.approx(np.where(found["country"] == "DE", 1.0, -1.0)[has_ordered])
    here = corrected.corrected(corrected.probability(again), found["country"].to_numpy(dtype=object))
    assert np.array_equal(found["corrected"].to_numpy()[has_ordered], here[has_ordered])


def test_a_model_of_other_features_is_refused() -> None:
    with pytest.raises(ModelError, match="trained on other features"):
        model(features=FEATURES[:-1])


def test_a_model_of_a_release_before_is_read_where_it_can_be() -> None:
    older = model(weights={"views_7d": 0.5}).to_parameters()
    kept = {name: value for name, value in older.items() if name not in ("among", "layers", "trees")}
    assert ScoreModel.from_parameters({**kept, "trees": []}, "7") == model(weights={"views_7d": 0.5})
    with pytest.raises(ModelError, match="older layout"):
        ScoreModel.from_parameters({**kept, "kind": BOOSTED, "trees": [{"weight": 1.0, "root": {"leaf": 1.0}}]}, "7")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="'oracle'"):
        model(kind="oracle")


def test_parameters_survive_the_registry() -> None:
    told = model(weights={"views_7d": 0.5})
    assert ScoreModel.from_parameters(told.to_parameters(), "7") == told

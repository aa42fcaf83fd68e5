"""The plain values read out of a fitted pipeline say what the pipeline says."""

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame

from lakehouse.models.propensity import TREES, Contender, fit_boosted, fit_logistic


def both(contender: Contender, rows: DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities by MLlib's pipeline and by our expression, row by row."""
    by_pipeline = contender.pipeline.transform(rows).select(
        "profile_id", "as_of", *contender.model.features, vector_to_array("probability")[1].alias("by_pipeline")
    )
    by_expression = rows.select("profile_id", contender.model.value.alias("purchase_propensity"))
    found = by_pipeline.join(by_expression, on="profile_id").select("by_pipeline", "purchase_propensity").toPandas()
    assert len(found) == 600
    return found["by_pipeline"].to_numpy(), found["purchase_propensity"].to_numpy()


def test_the_logistic_expression_equals_its_pipeline(example_rows: DataFrame) -> None:
    contender = fit_logistic(example_rows, horizon_days=30)
    by_pipeline, by_expression = both(contender, example_rows)
    assert by_expression == pytest.approx(by_pipeline, abs=1e-9)
    assert by_pipeline.std() > 0.05
    assert contender.model.weights["carts_7d"] == 0.0


def test_the_boosted_expression_equals_its_pipeline(example_rows: DataFrame) -> None:
    contender = fit_boosted(example_rows, horizon_days=30, seed=7)
    by_pipeline, by_expression = both(contender, example_rows)
    assert by_expression == pytest.approx(by_pipeline, abs=1e-9)
    assert by_pipeline.std() > 0.05
    assert len(contender.model.trees) == TREES

"""Example rows with a planted rule, for tests that fit the purchase score."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.features.point_in_time import FEATURES


@pytest.fixture
def example_rows(spark: SparkSession) -> DataFrame:
    """600 rows (profile_id, as_of, FEATURES, label): buyers are likelier the more they viewed and the later they ordered."""
    random = np.random.default_rng(11)
    values = np.round(random.gamma(1.0, 8.0, (600, len(FEATURES))), 3)
    views, since = (values[:, FEATURES.index(name)] for name in ("views_30d", "days_since_order"))
    logit = np.log1p(views) - np.log1p(since)
    label = (random.random(600) < 1 / (1 + np.exp(-logit))).astype(float)
    values[:, FEATURES.index("carts_7d")] = math.pi  # one feature that does not vary
    as_of = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (f"p{i:03}", as_of, *map(float, row), float(y)) for i, (row, y) in enumerate(zip(values, label, strict=True))
    ]
    schema = ", ".join(
        ["profile_id string", "as_of timestamp", *(f"{name} double" for name in FEATURES), "label double"]
    )
    return spark.createDataFrame(rows, schema).repartition(2, "profile_id").sortWithinPartitions("profile_id")

"""Labelled data, trained on and scored once per test process."""

from collections.abc import Callable

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from lakehouse.config import Config, load
from tests.lakehouse.matching.labelled import Labelled, labelled, missing, scored_pairs

_TRAINED: dict[str, Labelled] = {}
_SCORED: dict[str, pd.DataFrame] = {}


@pytest.fixture
def trained_on(spark: SparkSession) -> Callable[[str], Labelled]:
    def given(name: str) -> Labelled:
        if missing(name):
            pytest.skip(missing(name))
        if name not in _TRAINED:
            _TRAINED[name] = labelled(spark, matching_config(), name)
        return _TRAINED[name]

    return given


@pytest.fixture
def scored_on(spark: SparkSession, trained_on: Callable[[str], Labelled]) -> Callable[[str], pd.DataFrame]:
    """`scored_pairs` of the data by its own model, for whoever only looks."""

    def given(name: str) -> pd.DataFrame:
        data = trained_on(name)
        if name not in _SCORED:
            _SCORED[name] = scored_pairs(spark, data)
        return _SCORED[name]

    return given


def matching_config() -> Config:
    return load("dev", environ={})

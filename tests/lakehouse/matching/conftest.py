"""Labelled data, trained on once per test process."""

from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from lakehouse.config import Config, load
from tests.lakehouse.matching.labelled import Labelled, labelled, missing

_TRAINED: dict[str, Labelled] = {}


@pytest.fixture
def trained_on(spark: SparkSession) -> Callable[[str], Labelled]:
    def given(name: str) -> Labelled:
        if missing(name):
            pytest.skip(missing(name))
        if name not in _TRAINED:
            _TRAINED[name] = labelled(spark, matching_config(), name)
        return _TRAINED[name]

    return given


def matching_config() -> Config:
    return load("dev", environ={})

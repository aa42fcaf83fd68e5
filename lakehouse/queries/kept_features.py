"""The features that a lake keeps: gold.features brought up to what conf/features.yaml declares, before anything is written to it."""

from lakehouse.features.definition import Features
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.features import check_stored, gold_features


def keep(lake: Lake, features: Features) -> Features:
    """The same features; the stored table gets the columns it lacks.

    Raises:
        ContractError: a feature is stored with another type.
    """
    if features:
        table = gold_features(features)
        lake.create(table)
        check_stored(table, dict(lake.spark.read.format("delta").load(lake.path(table)).dtypes))
    return features

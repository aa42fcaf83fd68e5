"""A targeting policy as a column over FEATURES: the offer it gives each profile.

One evaluation, lakehouse/targeting/policy.py, runs wherever the policy is asked: in training, on a file, and here in a Python worker of
Spark, over Arrow arrays. A formula in Spark SQL would be a second one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.spark.arrow_function import arrow_function
from lakehouse.targeting.encoding import Category
from lakehouse.targeting.policy import TargetingPolicy


@dataclass(frozen=True, kw_only=True)
class PolicyModel:
    """A targeting policy that was learned from FEATURES and nothing else."""

    version: str
    policy: TargetingPolicy

    def __post_init__(self) -> None:
        strange = [
            column.name
            for column in self.policy.encoding.columns
            if isinstance(column, Category) or column.name not in FEATURES
        ]
        if strange:
            raise ModelError(
                f"targeting policy {self.version}: learned from other features, got {strange}, expected none but those of "
                "lakehouse/features/point_in_time.py. Give a policy over a file another name with --name; "
                "run ./spark-submit.sh ml/train_uplift.py over the lake"
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        return cls(version=version, policy=TargetingPolicy.from_parameters(parameters))

    @cached_property
    def value(self) -> Column:
        """The offer, over FEATURES."""
        names = tuple(column.name for column in self.policy.encoding.columns)
        return arrow_function(_offers(self.policy, names), "string")(*names)


def _offers(policy: TargetingPolicy, names: tuple[str, ...]) -> Callable[..., pa.Array]:
    def offers(*columns: pa.Array) -> pa.Array:
        known = {name: column.to_numpy(zero_copy_only=False) for name, column in zip(names, columns, strict=True)}
        return pa.array(policy.choose(pd.DataFrame(known)).tolist(), pa.string())

    return offers

"""Lifetime value as a column over FEATURES. One evaluation, lakehouse/lifetime, runs in training and here, in a Python worker over Arrow arrays.

    repeats   frequency - 1                                last   mean_gap_days * repeats
    age       last + days_since_order                      value  revenue_ever / frequency

So "now" is the as_of of the row, which gold.scores keeps: a rebuild finds the same, and who does nothing is worth less at each later as_of.
Somebody without an order has no history and no value, which is null.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column

from lakehouse.lifetime.histories import Array, Histories
from lakehouse.lifetime.lifetime_value import LifetimeValue
from lakehouse.spark.arrow_function import arrow_function

READ: Final = ("frequency", "mean_gap_days", "days_since_order", "revenue_ever")  # of FEATURES


@dataclass(frozen=True, kw_only=True)
class ValueModel:
    """Both models of lakehouse/lifetime under one version."""

    version: str
    model: LifetimeValue

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        return cls(version=version, model=LifetimeValue.from_parameters(parameters))

    @cached_property
    def value(self) -> Column:
        """Lifetime value in the default currency, over FEATURES; null of who has no order.

        To the cent: a forecast is no more exact, and the last bit of a sum depends on how many rows are computed at once. A double as every score:
        it is no amount that anybody owes, and lakes of before have the column so.
        """
        return arrow_function(_worth(self.model), "double")(*READ)


def histories(frequency: Array, mean_gap_days: Array, days_since_order: Array, revenue_ever: Array) -> Histories:
    """Of profiles with one order or more, in days."""
    repeats = frequency - 1
    last = np.where(repeats > 0, mean_gap_days * repeats, 0.0)
    return Histories(repeats=repeats, last=last, age=last + days_since_order, value=revenue_ever / frequency)


def _worth(model: LifetimeValue) -> Callable[..., pa.Array]:
    def worth(*columns: pa.Array) -> pa.Array:
        known: list[NDArray[np.float64]] = [column.to_numpy(zero_copy_only=False) for column in columns]
        has_ordered = known[0] > 0
        found = np.zeros(len(has_ordered))
        found[has_ordered] = model.of(histories(*(column[has_ordered] for column in known)))
        return pa.array(np.round(found, 2), pa.float64(), mask=~has_ordered)

    return worth

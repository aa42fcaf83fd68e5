"""Features of any kind as numbers: straight columns for a line, codes for trees. Told as plain values; learned by lakehouse/uplift/learned_encoding.py.

A number is one code: how many of its edges, quantiles, it lies above, plus 1; missing is 0. In the line it is drawn in to the middle
98 % and scaled; missing is the mean, and a column of its own. A category is a code and a column per level: 1 or 0. Rare levels,
and those not seen before, are one level together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse.errors import SourceError
from lakehouse.targeting.columns import has_columns, names_of, numbers
from lakehouse.targeting.response_model import People

Array = NDArray[np.float64]

OTHER = "(other)"
MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True)
class Number:
    """`edges`: rising; `low`, `high`: where values are drawn in to; `mean`, `deviation`: of what is left."""

    name: str
    edges: tuple[float, ...]
    low: float
    high: float
    mean: float
    deviation: float
    has_missing: bool


@dataclass(frozen=True, kw_only=True)
class Category:
    """`levels`: those that have a column; any other value is OTHER."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """`left_out`: columns that say nothing, with the reason."""

    columns: tuple[Number | Category, ...]
    left_out: Mapping[str, str]

    def people(self, frame: pd.DataFrame) -> People:
        """Of every row. A level that was not seen before is OTHER.

        Raises:
            SourceError: a column that is not there, or one of numbers that holds something else.
        """
        has_columns(frame, [column.name for column in self.columns])
        codes: list[NDArray[Any]] = []
        line: list[NDArray[Any]] = []
        for column in self.columns:
            if isinstance(column, Category):
                levels = _dummies(column, typed(frame[column.name], is_category=True))
                codes, line = codes + levels, line + levels
            else:
                values = numbers(frame[column.name]).to_numpy(dtype=np.float64)
                codes.append(np.where(np.isnan(values), 0, 1 + np.searchsorted(column.edges, values, side="left")))
                line += _straight(column, values)
        rows = len(frame)
        return People(
            line=np.column_stack(line).astype(np.float64) if line else np.zeros((rows, 0)),
            codes=np.asfortranarray(np.column_stack(codes).astype(np.uint8))
            if codes
            else np.zeros((rows, 0), np.uint8),
        )

    @classmethod
    def from_parameters(cls, parameters: Sequence[Mapping[str, Any]]) -> Self:
        columns = [
            Category(name=column["name"], levels=tuple(column["levels"]))
            if "levels" in column
            else Number(**{**column, "edges": tuple(column["edges"])})
            for column in parameters
        ]
        return cls(columns=tuple(columns), left_out={})

    def to_parameters(self) -> list[dict[str, Any]]:
        return [dict(vars(column)) for column in self.columns]


def typed(column: pd.Series, *, is_category: bool = False) -> pd.Series:
    """As floats with nan where missing, if all of it is numbers; else as text, MISSING where missing."""
    if not is_category:
        try:
            return numbers(column)
        except SourceError:
            if pd.api.types.is_numeric_dtype(column):
                raise  # endless: a fault, and no category
    return names_of(column).fillna(MISSING).astype(object)


def _columns_of(column: Category) -> tuple[str, ...]:
    return (*column.levels, OTHER)


def _straight(column: Number, values: Array) -> list[NDArray[Any]]:
    is_missing = np.isnan(values)
    drawn_in = np.where(is_missing, column.mean, np.clip(values, column.low, column.high))
    scaled = (drawn_in - column.mean) / column.deviation
    return [scaled, is_missing] if column.has_missing else [scaled]


def _dummies(column: Category, values: pd.Series) -> list[NDArray[Any]]:
    levels = values.where(values.isin(column.levels), OTHER).to_numpy(dtype=object)
    return [(levels == level) for level in _columns_of(column)]

"""An encoding learned from features alone: where the edges of a number are, which levels of a category have a column, what says nothing."""

import numpy as np
import pandas as pd

from lakehouse.targeting.encoding import Category, Encoding, Number

EDGES = 15
MOST_LEVELS = 12
LEAST_IN_LEVEL = 0.005  # of the rows


def encoding_of(frame: pd.DataFrame) -> Encoding:
    """Learn from columns as `typed` gives them."""
    columns: list[Number | Category] = []
    left_out = {}
    for name in frame.columns:
        is_text = not pd.api.types.is_float_dtype(frame[name])
        column = _category(str(name), frame[name]) if is_text else _number(str(name), frame[name])
        if isinstance(column, str):
            left_out[str(name)] = column
        else:
            columns.append(column)
    return Encoding(columns=tuple(columns), left_out=left_out)


def _number(name: str, column: pd.Series) -> Number | str:
    values = column.to_numpy(dtype=np.float64)
    known = values[~np.isnan(values)]
    has_missing = len(known) < len(values)
    distinct = np.unique(known)
    if len(distinct) < 2 and not (has_missing and len(distinct)):
        return "it has one value only" if len(distinct) else "it has no value"
    quantiles = np.quantile(known, np.arange(1, EDGES + 1) / (EDGES + 1), method="higher")
    edges = distinct[:-1] if len(distinct) <= EDGES + 1 else np.unique(quantiles)
    edges = edges[edges < distinct[-1]]
    low, high = (distinct[0], distinct[-1]) if len(distinct) <= EDGES + 1 else np.quantile(known, (0.01, 0.99))
    drawn_in = np.clip(known, low, high)
    return Number(
        name=name,
        edges=tuple(float(edge) for edge in edges),
        low=float(low),
        high=float(high),
        mean=float(drawn_in.mean()),
        deviation=float(drawn_in.std()) or 1.0,
        has_missing=has_missing,
    )


def _category(name: str, column: pd.Series) -> Category | str:
    counts = column.value_counts()
    frequent = counts[counts >= max(2, LEAST_IN_LEVEL * len(column))].index[:MOST_LEVELS]
    if len(counts) < 2:
        return "it has one value only"
    if len(frequent) == 0:
        return "nearly every row has a value of its own"
    return Category(name=name, levels=tuple(sorted(map(str, frequent))))

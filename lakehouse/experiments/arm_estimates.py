"""A metric of every arm, estimated from the columns of its people. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lakehouse.experiments.adjustment import adjusted
from lakehouse.experiments.estimates import Estimate, Floats, mean, quantile, ratio, winsorised
from lakehouse.experiments.metrics import Metric


def estimated(
    name: str, declared: Mapping[str, Metric], units: pd.DataFrame, of_arm: Mapping[str, pd.DataFrame]
) -> dict[str, Estimate]:
    """By arm. What is winsorised is so by the people of all arms together."""
    metric = declared.get(name)
    if metric is not None and metric.quantile is not None:
        return {arm: _quantile(rows[name], metric.quantile) for arm, rows in of_arm.items()}
    parts = [
        _capped(units[part].to_numpy(dtype=np.float64), declared.get(part))
        for part in (metric.parts if metric else (name,))
    ]
    is_in = {arm: (units["arm"] == arm).to_numpy() for arm in of_arm}
    if len(parts) == 2:
        return {arm: ratio(parts[0][inside], parts[1][inside]) for arm, inside in is_in.items()}
    return {arm: mean(parts[0][inside]) for arm, inside in is_in.items()}


def _quantile(arrays: pd.Series, share: float) -> Estimate:
    """`arrays`: each person's rows."""
    counts = arrays.map(len).to_numpy(dtype=np.int64)
    rows = np.array([row for array in arrays for row in array], dtype=np.float64)
    return quantile(rows, np.repeat(np.arange(len(counts)), counts), len(counts), share)


def _capped(values: Floats, metric: Metric | None) -> Floats:
    return values if metric is None or metric.winsorise is None else winsorised(values, metric.winsorise)


def less_explained(
    estimates: Mapping[str, Estimate], of_arm: Mapping[str, pd.DataFrame], covariates: Sequence[str]
) -> Mapping[str, Estimate]:
    """CUPED on columns of the units."""
    if not covariates:
        return estimates
    return adjusted(estimates, {arm: rows[[*covariates]].to_numpy(dtype=np.float64) for arm, rows in of_arm.items()})

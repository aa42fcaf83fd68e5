"""How good a forecast of orders is, on a holdout: beside rules that need no model, with intervals.

Judged by Poisson deviance per customer, which is least, in expectation, for the true mean; absolute error would be least for "nobody buys". A rule's forecast
is kept above a small share of the mean, for a single order of somebody who was told 0 would cost without bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lakehouse.lifetime.histories import Array, Histories

RATE_GOES_ON: Final = "own rate so far goes on"
MEAN: Final = "everybody buys as the mean did"
_LEAST_SHARE = 0.01
_TENTH = 10


@dataclass(frozen=True, kw_only=True)
class ForecastFigures:
    """Of one forecast. bias: total over the actual one, less 1; null where nobody bought. capture: of the orders, the share of the tenth forecast to order most."""

    total: float
    deviance: float
    bias: float | None
    capture: float | None


def figures(forecast: Array, actual: Array) -> ForecastFigures:
    total = float(actual.sum())
    top = np.argsort(-forecast, kind="stable")[: max(1, len(actual) // _TENTH)]
    return ForecastFigures(
        total=float(forecast.sum()),
        deviance=float(deviances(forecast, actual).mean()),
        bias=float(forecast.sum()) / total - 1 if total else None,
        capture=float(actual[top].sum()) / total if total else None,
    )


def deviances(forecast: Array, actual: Array) -> Array:
    """Poisson deviance of each: 2 (y ln(y / mu) - y + mu)."""
    least = max(_LEAST_SHARE * float(actual.mean()), 1e-9)
    mu = np.maximum(forecast, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.where(actual > 0, actual * np.log(actual / mu), 0.0)
    return np.asarray(2 * (told - actual + mu), dtype=np.float64)


def baselines(known: Histories, horizon: float) -> Mapping[str, Array]:
    """Forecasts of rules, by name. Both know the same histories and nothing of the holdout."""
    rate = known.repeats.sum() / max(float(known.age.sum()), 1e-9)
    own = known.repeats / np.maximum(known.age, 1.0)
    return {MEAN: np.full(len(known), rate * horizon), RATE_GOES_ON: own * horizon}

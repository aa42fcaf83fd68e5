"""Customer lifetime value: what the orders of a horizon are worth today.

The orders BG/NBD expects in each part of the horizon, times the value Gamma-Gamma expects of one, discounted to now from the middle of
the part. Value is order value before refunds, not margin.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lakehouse.errors import ModelError
from lakehouse.lifetime import bg_nbd, gamma_gamma
from lakehouse.lifetime.bg_nbd import BgNbd
from lakehouse.lifetime.gamma_gamma import GammaGamma
from lakehouse.lifetime.histories import Array, Histories

PARTS: Final = 12  # of the horizon; twice as many change the value by less than a thousandth
YEAR: Final = 365.0


@dataclass(frozen=True, kw_only=True)
class LifetimeValue:
    """Both models, fitted on histories in days. yearly_discount: what a sum a year from now is worth less, 0.1 = a tenth over a year."""

    orders: BgNbd
    value: GammaGamma
    horizon_days: int
    yearly_discount: float

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "LifetimeValue":
        orders, value = BgNbd(**parameters["orders"]), GammaGamma(**parameters["value"])
        return cls(**{**parameters, "orders": orders, "value": value})

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)

    def of(self, known: Histories) -> Array:
        """Lifetime value of each, in the money of the histories."""
        ends = np.linspace(0, self.horizon_days, PARTS + 1)
        orders = np.diff([self.orders.expected_orders(known, float(end)) for end in ends], axis=0)
        worth = (1 + self.yearly_discount) ** (-(ends[1:] + ends[:-1]) / 2 / YEAR)
        return np.asarray(worth @ orders * self.value.expected_value(known.repeats + 1, known.value), dtype=np.float64)


def fit(known: Histories, *, horizon_days: int, yearly_discount: float) -> LifetimeValue:
    """Both models of the same customers, times in days.

    Raises:
        ModelError: too few customers, too few who came back, or too few with a value.
    """
    if horizon_days <= 0 or yearly_discount < 0:
        raise ModelError(
            f"lifetime value: got a horizon of {horizon_days} days and a discount of {yearly_discount}, expected a horizon above 0 and a discount of 0 or more"
        )
    return LifetimeValue(
        orders=bg_nbd.fit(known),
        value=gamma_gamma.fit(known.repeats + 1, known.value),
        horizon_days=horizon_days,
        yearly_discount=yearly_discount,
    )

"""Gamma-Gamma: what an order of somebody is worth, from the mean of those they made.

Fader and Hardie, The Gamma-Gamma Model of Monetary Value (2013), brucehardie.com/notes/025. Values of one customer's orders are Gamma(p, nu), nu is
Gamma(q, gamma) over customers, and neither has to do with how often somebody buys. Equations by their numbers there: likelihood (1a), expected
value (5).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import digamma, gammaln

from lakehouse.errors import ModelError
from lakehouse.lifetime.histories import Array

LEAST_CUSTOMERS: Final = 50
_BOUNDS = [(np.log(1e-2), np.log(1e4))] * 3  # of p, q - 1, and gamma in mean values


@dataclass(frozen=True, kw_only=True)
class GammaGamma:
    """A fitted model. `gamma` is in money. is_certain: no parameter stands at its bound, as where all values are alike."""

    p: float
    q: float
    gamma: float
    is_certain: bool = True

    @property
    def mean(self) -> float:
        """Value of an order of somebody of whom none is known."""
        return self.p * self.gamma / (self.q - 1)

    def expected_value(self, orders: Array, value: Array) -> Array:
        """Mean value of each one's orders to come, (5). `orders`: how many `value` is the mean of; where it is 0 or below nothing is known."""
        count = np.where(value > 0, orders, 0.0)
        known = self.p * count / (self.p * count + self.q - 1)
        return np.asarray(known * value + (1 - known) * self.mean, dtype=np.float64)


def fit(orders: Array, value: Array) -> GammaGamma:
    """The most likely model, (1a), of those with a value above 0. `value`: mean over `orders` of one customer.

    Raises:
        ModelError: fewer than LEAST_CUSTOMERS of them.
    """
    from scipy.optimize import minimize  # slow to import, and who scores fits nothing

    is_told = (value > 0) & (orders > 0)
    if int(is_told.sum()) < LEAST_CUSTOMERS:
        raise ModelError(
            f"Gamma-Gamma: too few customers with orders of a value above 0, got {int(is_told.sum())}, expected {LEAST_CUSTOMERS} or more. "
            "Run again when more have bought"
        )
    scale = float(value[is_told].mean())
    x, m = orders[is_told], value[is_told] / scale

    def loss(logs: Array) -> tuple[float, Array]:
        p, above, gamma = np.exp(logs)
        found, gradient = _log_likelihood(p, 1 + above, gamma, x, m)
        return -float(found.mean()), -gradient.mean(axis=1) * np.exp(logs)

    best = minimize(
        loss, np.log([2.0, 2.0, 1.0]), jac=True, bounds=_BOUNDS, options={"maxiter": 2_000, "ftol": 1e-15, "gtol": 1e-9}
    )
    p, above, gamma = (float(one) for one in np.exp(best.x))
    low, high = np.array(_BOUNDS).T
    is_certain = bool(((best.x > low + 1e-6) & (best.x < high - 1e-6)).all())
    return GammaGamma(p=p, q=1 + above, gamma=gamma * scale, is_certain=is_certain)


def _log_likelihood(p: float, q: float, gamma: float, x: Array, m: Array) -> tuple[Array, Array]:
    """(1a) of each mean, and its gradient: (p, q, gamma) x customers."""
    whole = gamma + m * x
    value = (
        gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
        + q * np.log(gamma) + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(whole)
    )  # fmt: skip
    gradient = np.array(
        [
            x * (digamma(p * x + q) - digamma(p * x) + np.log(m) + np.log(x) - np.log(whole)),
            digamma(p * x + q) - digamma(q) + np.log(gamma) - np.log(whole),
            q / gamma - (p * x + q) / whole,
        ]
    )
    return value, gradient

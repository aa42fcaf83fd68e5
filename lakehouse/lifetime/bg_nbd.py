"""BG/NBD: customers buy at random times at a rate of their own and may leave after any order.

Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing Science 24 (2005). A customer
buys at rate lambda ~ Gamma(r, alpha) and leaves after an order with chance p ~ Beta(a, b). Equations by their numbers there: likelihood (6),
expected orders (10). The chance of being alive: Fader, Hardie and Lee, Computing P(alive) Using the BG/NBD Model (2008).

Equation (10) has 2F1(r + x, b + x; a + b + x - 1; z), which overflows for who buys often. By Euler's transformation it is
(1 - z)**(a - 1 - r - x) * 2F1(a + b - 1 - r, a - 1; a + b + x - 1; z), whose first factor meets its inverse, so that nothing large is left.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaln, digamma, gammaln, hyp2f1

from lakehouse.errors import ModelError
from lakehouse.lifetime.histories import Array, Histories

LEAST_CUSTOMERS: Final = 50  # of fewer, four parameters say nothing
LEAST_REPEATERS: Final = 10
# Beyond these the data say only "all alike" or "nobody leaves", and the answers no longer change.
_LEAST = np.log([1e-3, 1e-6, 1e-3, 1e-3])
_MOST = np.log([1e3, 1e9, 1e2, 1e4])
_NEAR = (
    1e-5  # (10) divides by a - 1, and by a + b + x - 1 inside 2F1: so near to 0, the answers on both sides are averaged
)
_STARTS = ((0.5, 1.0, 0.5, 2.0), (1.0, 0.5, 1.0, 1.0), (0.2, 0.2, 0.8, 3.0))  # alpha in mean ages


@dataclass(frozen=True, kw_only=True)
class BgNbd:
    """A fitted model. `alpha` is in the unit of time of the histories it was fitted on, the others have none.

    log_likelihood: of those histories; null = not fitted. is_certain: no parameter stands at its bound.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float | None = None
    is_certain: bool = True

    def alive(self, known: Histories) -> Array:
        """Chance that each has not left, 0..1; 1 of who never came back, for one leaves after a repeat only."""
        return np.asarray(np.exp(-np.logaddexp(0.0, self._log_odds_of_leaving(known))), dtype=np.float64)

    def expected_orders(self, known: Histories, horizon: float) -> Array:
        """Orders of each within `horizon` from now, (10)."""
        if horizon < 0:
            raise ValueError(f"horizon: got {horizon}, expected 0 or more")
        orders: Array = self.alive(known) * self._orders_while_alive(known, horizon)
        return orders

    def _log_odds_of_leaving(self, known: Histories) -> Array:
        x = known.repeats
        with np.errstate(divide="ignore"):
            least = np.where(x > 0, np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1), -np.inf)
        odds: Array = least + (self.r + x) * (np.log(self.alpha + known.age) - np.log(self.alpha + known.last))
        return odds

    def _orders_while_alive(self, known: Histories, horizon: float) -> Array:
        """(10) without its denominator. Near a place where it divides by nothing, the mean of both sides."""
        is_near = (np.abs(self.a + self.b + known.repeats - 1) < _NEAR) | (abs(self.a - 1) < _NEAR)
        if not is_near.any():
            return self._formula(known, horizon, np.full(len(known), self.a, dtype=np.float64))
        beside = np.asarray(2 * _NEAR * is_near, dtype=np.float64)
        sides = [self._formula(known, horizon, self.a + side) for side in (-beside, beside)]
        return np.asarray(np.mean(sides, axis=0), dtype=np.float64)

    def _formula(self, known: Histories, horizon: float, a: Array) -> Array:
        c = a + self.b + known.repeats - 1
        z = horizon / (self.alpha + known.age + horizon)
        stays = hyp2f1(a + self.b - 1 - self.r, a - 1, c, z) * (1 - z) ** (a - 1)
        return np.asarray(np.maximum(0.0, c / (a - 1) * (1 - stays)), dtype=np.float64)


def fit(known: Histories) -> BgNbd:
    """The most likely model, (6).

    Raises:
        ModelError: fewer than LEAST_CUSTOMERS, or fewer than LEAST_REPEATERS who came back.
    """
    from scipy.optimize import minimize  # slow to import, and who scores fits nothing

    _check(known)
    columns, weights = np.unique(np.column_stack([known.repeats, known.last, known.age]), axis=0, return_counts=True)
    scale = float(known.age.mean())  # times around 1, whatever their unit
    x, last, age = columns[:, 0], columns[:, 1] / scale, columns[:, 2] / scale

    def loss(logs: Array) -> tuple[float, Array]:
        value, gradient = _log_likelihood(np.exp(logs), x, last, age)
        return -float(weights @ value) / len(known), -(gradient @ weights) * np.exp(logs) / len(known)

    bounds = list(zip(_LEAST, _MOST, strict=True))
    options = {"maxiter": 2_000, "ftol": 1e-15, "gtol": 1e-9}
    found = [minimize(loss, np.log(start), jac=True, bounds=bounds, options=options) for start in _STARTS]
    best = min(found, key=lambda one: float(one.fun))
    r, alpha, a, b = (float(value) for value in np.exp(best.x))
    return BgNbd(
        r=r,
        alpha=alpha * scale,
        a=a,
        b=b,
        log_likelihood=-float(best.fun) * len(known) - float(known.repeats.sum() * np.log(scale)),
        is_certain=bool(((best.x > _LEAST + 1e-6) & (best.x < _MOST - 1e-6)).all()),
    )


def _check(known: Histories) -> None:
    if len(known) < LEAST_CUSTOMERS:
        raise ModelError(
            f"BG/NBD: too few customers, got {len(known)}, expected {LEAST_CUSTOMERS} or more. Run again when more have bought"
        )
    repeaters = int((known.repeats > 0).sum())
    if repeaters < LEAST_REPEATERS:
        raise ModelError(
            f"BG/NBD: too few who came back, got {repeaters} of {len(known)} customers, expected {LEAST_REPEATERS} or more: nothing says how often "
            "somebody does. Run again when more have"
        )


def _log_likelihood(parameters: Array, x: Array, last: Array, age: Array) -> tuple[Array, Array]:
    """(6) of each history, and its gradient: parameters x histories."""
    r, alpha, a, b = parameters
    kept = -(r + x) * np.log(alpha + age)
    with np.errstate(divide="ignore"):
        left = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1), -np.inf) - (r + x) * np.log(alpha + last)
    either = np.logaddexp(kept, left)
    share = np.exp(left - either)  # of the likelihood, what is of having left
    value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b) + either
    of_sum = digamma(a + b) - digamma(a + b + x)
    gradient = np.array(
        [
            digamma(r + x)
            - digamma(r)
            + np.log(alpha)
            - (1 - share) * np.log(alpha + age)
            - share * np.log(alpha + last),
            r / alpha - (r + x) * ((1 - share) / (alpha + age) + share / (alpha + last)),
            of_sum + share / a,
            of_sum + digamma(b + x) - digamma(b) - share / (b + np.maximum(x, 1) - 1),
        ]
    )
    return value, gradient

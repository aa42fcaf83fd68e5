"""What a visitor did with products, and how much each of it says. One rule for training and serving.

A product's weight is log2(1 + sum over what was done with it of kind weight * 0.5 ** (age / half-life)): a look is 1, an
order 2.6, ten looks 3.5. The logarithm keeps a product that was looked at all day from drowning the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

VIEW: Final = "view"
CART: Final = "cart"
REMOVE: Final = "remove"
ORDER: Final = "order"
KIND_WEIGHTS: Final[Mapping[str, float]] = {VIEW: 1.0, CART: 3.0, REMOVE: 0.0, ORDER: 5.0}
KINDS: Final = tuple(KIND_WEIGHTS)  # a kind's number, where kinds are numbers, is its place here
KIND_OF_EVENT: Final[Mapping[str, str]] = {
    "Product Viewed": VIEW,
    "Product Clicked": VIEW,
    "Product Added": CART,
    "Product Removed": REMOVE,
    "Order Completed": ORDER,
}
DAY_MS: Final = 86_400_000
NEWEST: Final = 50  # interactions of one visitor that count; older ones say little and cost time


class Interaction(NamedTuple):
    """One thing done with one product. `kind`: one of KIND_WEIGHTS; `at_ms`: UTC milliseconds since 1970."""

    product_id: str
    kind: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """A visitor's history as a model sees it: positions of its products, newest first, what each weighs, and the cart.

    `positions` and `weights` are of one length, every product once. `cart`: newest first, what was added and since neither
    removed nor ordered. `ordered`: positions, and when each was ordered last, UTC milliseconds.
    """

    positions: NDArray[np.intp]
    weights: NDArray[np.float64]
    cart: tuple[int, ...]
    ordered: Mapping[int, int]


def known(
    history: Iterable[Interaction],
    index: Mapping[str, int],
    *,
    now_ms: int,
    half_life_days: float,
    fade: float,
    newest: int = NEWEST,
) -> Known:
    """The `newest` interactions with products the model knows; a kind it does not know counts as a look.

    `fade`: 0..1, what a product weighs beside the one turned to after it; 1 = the order in which they came says nothing.
    Times ahead of `now_ms` count as now.
    """
    found = [(one.at_ms, order, index[one.product_id], one.kind) for order, one in enumerate(history) if one.product_id in index]  # fmt: skip
    found.sort(reverse=True)
    sums: dict[int, float] = {}
    in_cart: dict[int, bool] = {}
    ordered: dict[int, int] = {}
    rate = 1.0 / (half_life_days * DAY_MS)
    for at_ms, _, position, kind in found[:newest]:
        weight = KIND_WEIGHTS.get(kind, 1.0)
        if weight:
            sums[position] = sums.get(position, 0.0) + weight * 0.5 ** (max(0, now_ms - at_ms) * rate)
        if kind == ORDER:
            ordered.setdefault(position, at_ms)
        if kind in (CART, REMOVE, ORDER):
            in_cart.setdefault(position, kind == CART)
    positions = np.fromiter(sums, dtype=np.intp, count=len(sums))
    weights = saturated(np.fromiter(sums.values(), dtype=np.float64, count=len(sums)))
    if fade < 1.0:
        weights *= fade ** np.arange(len(weights))
    return Known(positions, weights, tuple(p for p, is_in in in_cart.items() if is_in), ordered)


def saturated(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of decayed kind weights -> weights."""
    return np.log2(1.0 + sums)

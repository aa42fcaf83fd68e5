"""Factors of one visitor by one ridge solve, while the products' factors stand still. numpy only.

With c_i = 1 + alpha * w_i for what was touched and 1 for everything else, the minimum of the loss in
lakehouse/recommend/als.py over the visitor's x is

    (Y'Y + sum_i alpha w_i y_i y_i' + l I) x = sum_i (1 + alpha w_i) y_i,    l = regularisation * (sum_i alpha w_i + products)

so a visitor folded in gets the very factors training would have given: Hu, Koren, Volinsky, ICDM 2008, equation 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """`alpha`: confidence one unit of weight adds to that of nothing seen, which is 1. `regularisation`: per unit of both."""

    alpha: float = 2.0
    regularisation: float = 0.01


def normal_equations(
    touched: Array, weights: Array, gram: Array, products: int, confidence: Confidence
) -> tuple[Array, Array]:
    """Both sides of one row's system. `touched`: factors of what it touched; `gram`: Y'Y of all `products`."""
    extra = confidence.alpha * weights
    left = gram + (touched * extra[:, None]).T @ touched
    left.flat[:: len(left) + 1] += confidence.regularisation * (extra.sum() + products)
    return left, (1.0 + extra) @ touched


def fold_in(touched: Array, weights: Array, gram: Array, products: int, confidence: Confidence) -> Array:
    """The visitor's factors; zeros where nothing was touched."""
    if len(weights) == 0:
        return np.zeros(len(gram))
    left, right = normal_equations(touched, weights, gram, products, confidence)
    return np.asarray(np.linalg.solve(left, right), dtype=np.float64)

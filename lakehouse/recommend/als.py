"""Factors of products by implicit alternating least squares. For training only; needs scipy.

Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008: minimise over users u, products i

    sum_ui c_ui (p_ui - x_u . y_i)^2 + sum_u l_u |x_u|^2 + sum_i l_i |y_i|^2

with p_ui = 1 where u touched i, else 0, and confidence c_ui = 1 + alpha * w_ui. Regularisation grows with all the
confidence of a row, l_u = regularisation * sum_i c_ui: Rendle et al., "Revisiting the Performance of iALS on Item
Recommendation Benchmarks" (arXiv 2110.14037), section 3.1 with exponent 1.

Each row's system is rank x rank, symmetric and positive definite, and solved directly.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from lakehouse.recommend.fold_in import Array, Confidence, normal_equations

_ROWS = 1024  # systems solved in one call: 1024 x 64 x 64 doubles are 32 MB


@dataclass(frozen=True, kw_only=True)
class AlsSettings:
    """`rank`: factors per product. `sweeps`: alternations."""

    rank: int = 32
    confidence: Confidence = field(default_factory=Confidence)
    sweeps: int = 10
    seed: int = 7


def product_factors(weights: csr_matrix, settings: AlsSettings) -> NDArray[np.float32]:
    """Factors of the columns of `weights`: users x products, non-negative, 0 = not touched.

    A product nobody touched gets zeros. Factors of users are not kept: serving folds every visitor in.
    """
    random = np.random.default_rng(settings.seed)
    factors = random.normal(scale=0.1 * settings.rank**-0.5, size=(weights.shape[1], settings.rank))
    by_product = weights.T.tocsr()
    for _ in range(settings.sweeps):
        users = solve(weights, factors, settings.confidence)
        factors = solve(by_product, users, settings.confidence)
    return factors.astype(np.float32)


def solve(weights: csr_matrix, other: Array, confidence: Confidence) -> Array:
    """The rows that minimise the loss while the other side's factors stand still; zeros for an empty row."""
    rank = other.shape[1]
    solved = np.zeros((weights.shape[0], rank))
    gram = other.T @ other
    filled = np.flatnonzero(np.diff(weights.indptr))
    for start in range(0, len(filled), _ROWS):
        rows = filled[start : start + _ROWS]
        left = np.empty((len(rows), rank, rank))
        right = np.empty((len(rows), rank))
        for position, row in enumerate(rows):
            touched = slice(weights.indptr[row], weights.indptr[row + 1])
            left[position], right[position] = normal_equations(
                other[weights.indices[touched]], weights.data[touched], gram, len(other), confidence
            )
        solved[rows] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return solved

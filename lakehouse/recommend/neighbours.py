"""Products that go together, as two arrays per list: the strongest neighbours of every product. Needs scipy.

Similarity is the cosine of two columns with shrinkage, x_i . x_j / (|x_i| |x_j| + shrink): what was seen together once, by
chance, is drawn to nothing (Bell and Koren, "Improved Neighborhood-based Collaborative Filtering", KDD Cup 2007,
section 2.2, in the form Sarwar et al., WWW 2001, give the cosine).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, diags_array, vstack

from lakehouse.recommend.model import NOBODY
from lakehouse.recommend.ranking import best

KEPT = 50
_COLUMNS = 512  # products whose similarities to all others are held at once


class Neighbours(NamedTuple):
    """`ids`: products x kept, strongest first, NOBODY where there is none. `scores`: as ids, above 0; 0 where there is none."""

    ids: NDArray[np.int32]
    scores: NDArray[np.float32]


def neighbours(
    rows: csr_matrix, *, shrink: float, kept: int = KEPT, apart: NDArray[np.int32] | None = None, least: int = 1
) -> Neighbours:
    """The `kept` most similar columns of every column of `rows` (any baskets x products, non-negative).

    `apart`: group per product, below 0 = unknown; two of one known group are no neighbours. `least`: baskets both must be in.
    """
    by_column = rows.tocsc()
    counts = (rows > 0).astype(np.float64).tocsc() if least > 1 else None
    norms = np.sqrt(np.asarray(by_column.multiply(by_column).sum(axis=0), dtype=np.float64).ravel())
    products = rows.shape[1]
    ids = np.full((products, kept), NOBODY, dtype=np.int32)
    scores = np.zeros((products, kept), dtype=np.float32)
    for start in range(0, products, _COLUMNS):
        chunk = slice(start, min(start + _COLUMNS, products))
        together = _together(by_column, chunk)
        column = np.arange(chunk.start, chunk.stop).repeat(np.diff(together.indptr))
        other = together.indices
        alike = together.data / np.maximum(norms[column] * norms[other] + shrink, 1e-12)
        alike[column == other] = 0.0
        if apart is not None:
            alike[(apart[column] == apart[other]) & (apart[column] >= 0)] = 0.0
        if counts is not None:
            alike[_together(counts, chunk).data < least] = 0.0
        alike[alike <= 0] = -np.inf
        for row, (first, end) in enumerate(pairwise(together.indptr), start=start):
            strongest = first + best(alike[first:end], kept)
            ids[row, : len(strongest)] = other[strongest]
            scores[row, : len(strongest)] = alike[strongest]
    return Neighbours(ids, scores)


def _together(by_column: csc_matrix, chunk: slice) -> csr_matrix:
    """Products of the columns of a chunk with all, those that never met left out: most pairs of a large catalogue never do."""
    met = csr_matrix(by_column[:, chunk].T @ by_column)
    met.sort_indices()
    return met


def stacked(profiles: csr_matrix, sessions: csr_matrix, session_weight: float) -> csr_matrix:
    """Profiles and sessions as baskets of one table; together in a session counts `session_weight` times as much."""
    if session_weight == 0 or sessions.shape[0] == 0:
        return profiles
    scale = diags_array(np.full(sessions.shape[0], np.sqrt(session_weight)))
    return csr_matrix(vstack([profiles, scale @ sessions]))

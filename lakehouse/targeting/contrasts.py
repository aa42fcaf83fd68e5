"""Contrasts of arms: the coordinates in which effects are learned and told."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def contrasts(arms: int) -> Array:
    """Arms x (arms - 1), orthonormal: what of a row of scores is left when its mean does not count.

    >>> bool(np.allclose(contrasts(3).T @ contrasts(3), np.eye(2))), bool(np.allclose(contrasts(3).sum(axis=0), 0))
    (True, True)
    """
    columns = []
    for last in range(1, arms):
        column = np.zeros(arms)
        column[:last], column[last] = -1.0, last
        columns.append(column / np.sqrt(last * (last + 1)))
    return np.column_stack(columns) if columns else np.zeros((arms, 0))

"""What every arm would have given every row: scores of augmented inverse propensity weighting. Pure.

    score of arm a in row i = expected[i, a] + (reward[i] - expected[i, a]) / propensity[i] where a is what was done, else expected[i, a]

Robins, Rotnitzky and Zhao (1994); its use for policies: Athey and Wager (2021), Policy learning with observational data; for
effects: Kennedy (2020), arXiv 2004.14497. With propensities that are known the mean of a column is the arm's mean reward
whatever is expected, as long as that was not learned from the row itself: a bad model makes scores noisy, not wrong.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def scores(reward: Array, arm: NDArray[np.int64], propensity: Array, expected: Array) -> Array:
    """Rows x arms.

    Args:
        reward: of what was done.
        arm: what was done, as a column of `expected`; -1 = none of them.
        propensity: probability with which it was chosen in that row; above 0.
        expected: rows x arms: a model's reward of every arm.
    """
    each = expected.copy()
    rows = np.flatnonzero(arm >= 0)
    each[rows, arm[rows]] += (reward[rows] - expected[rows, arm[rows]]) / propensity[rows]
    return each

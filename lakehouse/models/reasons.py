"""Why a score is what it is, in words: the few features of a profile that move it farthest from what it would be if they were all as usual.

What a feature moves is its Shapley value (lakehouse/models/shapley.py) of the calibrated log-odds, from the medians of training to the profile: one
definition for every kind of model. It says what the model goes by, and not what would happen if somebody changed it.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lakehouse.features.point_in_time import FEATURES, MEASURES, WINDOWS
from lakehouse.models.evaluation import Array

MOST: Final = 3
LEAST_MOVED: Final = 0.1  # of log-odds: what moves a probability by less than 0.025 is no reason

_OF_MEASURE: Mapping[str, str] = {
    "views": "{:.0f} products looked at",
    "carts": "{:.0f} products put in the cart",
    "orders": "{:.0f} orders",
    "revenue": "orders of {:.2f}",
}
WORDS: Mapping[str, str] = {
    **{f"{name}_{days}d": f"{_OF_MEASURE[name]} in {days} days" for name in MEASURES for days in WINDOWS},
    "days_since_seen": "last seen {:.0f} days ago",
    "days_since_order": "no order for {:.0f} days",
    "tenure_days": "known for {:.0f} days",
    "mean_gap_days": "{:.0f} days from order to order",
    "frequency": "{:.0f} orders ever",
    "revenue_ever": "orders of {:.2f} ever",
}
YES_OR_NO: Mapping[str, tuple[str, str]] = {
    "has_ordered": ("has never ordered", "has ordered"),
    "has_repeated": ("has not ordered twice", "has ordered twice or more"),
}


def reasons(contributions: Array, rows: Array) -> list[list[str]]:
    """Of each row at most MOST, those that move it most first, as `raises: 12 products looked at in 7 days`. Both: rows x FEATURES."""
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :MOST]
    return [
        [
            f"{'raises' if contributions[row, place] > 0 else 'lowers'}: {_in_words(FEATURES[place], rows[row, place])}"
            for place in places
            if abs(contributions[row, place]) >= LEAST_MOVED
        ]
        for row, places in enumerate(order)
    ]


def _in_words(name: str, value: float) -> str:
    return YES_OR_NO[name][int(value > 0)] if name in YES_OR_NO else WORDS[name].format(value)

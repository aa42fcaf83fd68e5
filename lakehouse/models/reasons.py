"""Why a score is what it is, in words: the few features of a profile that move it farthest from what it would be if they were as usual.

What a feature moves is the calibrated log-odds less what they would be with this one feature at its median of training, all others as they are. Of a logistic model that is
coefficient times deviation; of trees and a network it is the model's own answer to the same question. One definition for every kind, and the model's one
evaluation. It says what the model goes by, and not what would happen if somebody changed it.
"""

from collections.abc import Callable, Mapping
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


Logit = Callable[[Array], Array]
"""Calibrated log-odds of rows x FEATURES."""


def moved(logit: Logit, rows: Array, usual: Mapping[str, float]) -> Array:
    """Log-odds that each feature moves: rows x FEATURES."""
    of_all, found = logit(rows), np.zeros_like(rows)
    for place, name in enumerate(FEATURES):
        changed = rows.copy()
        changed[:, place] = usual[name]
        found[:, place] = of_all - logit(changed)
    return found


def reasons(logit: Logit, rows: Array, usual: Mapping[str, float]) -> list[list[str]]:
    """Of each row at most MOST, those that move it most first, as `raises: 12 products looked at in 7 days`."""
    by_row = moved(logit, rows, usual)
    order = np.argsort(-np.abs(by_row), axis=1, kind="stable")[:, :MOST]
    return [
        [
            f"{'raises' if by_row[row, place] > 0 else 'lowers'}: {_in_words(FEATURES[place], rows[row, place])}"
            for place in places
            if abs(by_row[row, place]) >= LEAST_MOVED
        ]
        for row, places in enumerate(order)
    ]


def _in_words(name: str, value: float) -> str:
    return YES_OR_NO[name][int(value > 0)] if name in YES_OR_NO else WORDS[name].format(value)

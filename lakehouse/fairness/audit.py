"""Figures of a choice by group, and how far groups are apart, as fairlearn defines them (Weerts et al., Fairlearn, JMLR 24, 2023).

    demographic parity difference   largest selection rate of a group less the smallest
    disparate impact                smallest selection rate over the largest; below 0.8 is the four-fifths rule of 29 CFR 1607.4(D)
    equalized odds difference       the larger of the spreads of true and of false positive rates (Hardt, Price and Srebro, 2016)
    calibration gap                 of a group: mean outcome less mean prediction

A group of fewer than `least_rows` is told and not compared: its rate would be noise, and the worst group would be the smallest one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Names = NDArray[np.object_]
LEAST_ROWS: Final = 50
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True)
class GroupFigures:
    """Of one group. Rates 0..1. The last four are null where nothing is known to divide by, or no outcome, or no prediction.

    is_compared: it has rows enough.
    """

    rows: int
    selection_rate: float
    is_compared: bool
    true_positive_rate: float | None = None
    false_positive_rate: float | None = None
    predicted: float | None = None
    observed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """groups: by name. Differences are null where fewer than two groups are compared, or an outcome is missing."""

    groups: Mapping[str, GroupFigures]
    demographic_parity_difference: float | None
    disparate_impact: float | None
    equalized_odds_difference: float | None


def names_of(groups: Names) -> Names:
    """Names as text; null = UNKNOWN."""
    return np.array([UNKNOWN if name is None or name != name else str(name) for name in groups], dtype=object)


def audit(
    groups: Names,
    selected: Array,
    outcome: Array | None = None,
    predicted: Array | None = None,
    least_rows: int = LEAST_ROWS,
) -> Audit:
    """One place per person. groups: names; null = UNKNOWN, a group like any other. selected, outcome: 0 or 1. predicted: probabilities."""
    names = names_of(groups)
    found = {
        str(name): _of_group(names == name, selected, outcome, predicted, least_rows)
        for name in sorted(set(names.tolist()))
    }
    compared = [one for one in found.values() if one.is_compared]
    rates = [one.selection_rate for one in compared]
    if len(compared) < 2:
        return Audit(
            groups=found, demographic_parity_difference=None, disparate_impact=None, equalized_odds_difference=None
        )
    return Audit(
        groups=found,
        demographic_parity_difference=max(rates) - min(rates),
        disparate_impact=min(rates) / max(rates) if max(rates) > 0 else None,
        equalized_odds_difference=_largest_spread(
            [one.true_positive_rate for one in compared], [one.false_positive_rate for one in compared]
        ),
    )


def _of_group(
    rows: NDArray[np.bool_], selected: Array, outcome: Array | None, predicted: Array | None, least_rows: int
) -> GroupFigures:
    chosen = selected[rows]
    known = None if outcome is None else outcome[rows]
    return GroupFigures(
        rows=int(rows.sum()),
        selection_rate=float(chosen.mean()),
        is_compared=int(rows.sum()) >= least_rows,
        true_positive_rate=None if known is None else _mean(chosen[known == 1]),
        false_positive_rate=None if known is None else _mean(chosen[known == 0]),
        predicted=None if predicted is None else _mean(predicted[rows]),
        observed=None if known is None else _mean(known),
    )


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


def _largest_spread(*rates: list[float | None]) -> float | None:
    """None where a group has no rate of either kind: nobody of it could be right, or wrong."""
    spreads = []
    for of_groups in rates:
        known = [one for one in of_groups if one is not None]
        if len(known) < len(of_groups):
            return None
        spreads.append(max(known) - min(known))
    return max(spreads)

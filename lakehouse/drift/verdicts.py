"""Which of many looks are drift: far enough to matter, and too far for chance, at one stated rate of false alarms for all of them together.

Chance is judged by Benjamini and Hochberg's procedure (1995) at `rate`: where nothing drifts, the chance of any alarm in a whole run is at most
`rate`; where much drifts, at most that share of the alarms is false. A look at too few rows has no verdict and is not counted among the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Look:
    """effect_over: the largest of its effects over what matters of that kind; 1 or more matters. p: null = too few rows."""

    effect_over: float
    p: float | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """is_drifted, p_adjusted: null = too few rows to say. p_adjusted: of Benjamini and Hochberg, to be held against the rate."""

    is_drifted: bool | None
    p_adjusted: float | None


def verdicts(looks: Sequence[Look], rate: float) -> tuple[Verdict, ...]:
    """In the order of the looks."""
    told = [one.p for one in looks if one.p is not None]
    adjusted = iter(_adjusted(np.array(told)))
    found = []
    for one in looks:
        if one.p is None:
            found.append(Verdict(is_drifted=None, p_adjusted=None))
            continue
        p = float(next(adjusted))
        found.append(Verdict(is_drifted=bool(p <= rate and one.effect_over >= 1), p_adjusted=p))
    return tuple(found)


def _adjusted(p: np.ndarray) -> np.ndarray:
    """Smallest rate at which each is rejected."""
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled))
    return adjusted

"""Many questions at once: p-values raised so that the chance of one false yes among all of them stays at alpha (Holm), or
so that the expected share of false yeses does (Benjamini-Hochberg).
"""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given; nan stays nan. Source: Holm, Scand. J. Statistics 6 (1979)."""
    adjusted = [float("nan")] * len(p_values)
    known = [position for position in np.argsort(p_values) if not np.isnan(p_values[position])]
    highest = 0.0
    for rank, position in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given; nan stays nan. Source: Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995)."""
    adjusted = [float("nan")] * len(p_values)
    known = [position for position in np.argsort(p_values) if not np.isnan(p_values[position])]
    lowest = 1.0
    for rank in range(len(known), 0, -1):
        position = known[rank - 1]
        lowest = min(lowest, len(known) / rank * p_values[position])
        adjusted[position] = lowest
    return adjusted

"""Many questions at once: p-values raised so that the chance of one false yes among all of them stays at alpha."""

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

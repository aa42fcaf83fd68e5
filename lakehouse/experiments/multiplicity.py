"""Many questions at once: p-values raised so that the chance of one false yes among all of them stays at alpha.

It stays there for always-valid p-values, too, whenever one looks: at any time they are p-values, and Holm asks nothing else of
them, whatever they have to do with each other. Source: Johari, Pekelis and Walsh, Always Valid Inference: Continuous Monitoring of
A/B Tests, Operations Research 70 (2022), section on multiple comparisons (https://arxiv.org/abs/1512.04922).
"""

from collections.abc import Hashable, Sequence

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


def holm_within(families: Sequence[Hashable], p_values: Sequence[float]) -> list[float]:
    """`holm` over the p-values of each family apart; `families` names that of each."""
    adjusted = [float("nan")] * len(p_values)
    for family in set(families):
        places = [place for place, each in enumerate(families) if each == family]
        for place, p in zip(places, holm([p_values[place] for place in places]), strict=True):
            adjusted[place] = p
    return adjusted

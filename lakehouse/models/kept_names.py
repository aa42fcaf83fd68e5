"""A segment keeps its name from training to training while it is of the same people: pure.

Old and new clusters are matched one to one so that they share most people (Hungarian method; Kuhn, 1955). A pair that shares at least half of the people
that either has (Jaccard) is one segment, and keeps its name; any other has changed too much to be called the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

SAME: Final = 0.5


def kept_names(new: Sequence[str], shared: Mapping[tuple[str, int], int]) -> tuple[str, ...]:
    """Names of the new clusters, in order, no two alike.

    new: what each would be called without a past. shared: people by (name of the old segment, number of the new cluster).
    """
    old = sorted({name for name, _ in shared})
    if not old:
        return tuple(new)
    people = np.array([[shared.get((name, number), 0) for number in range(len(new))] for name in old], dtype=float)
    either = people.sum(axis=1, keepdims=True) + people.sum(axis=0, keepdims=True) - people
    alike = np.divide(people, either, out=np.zeros_like(people), where=either > 0)
    kept = {
        int(number): old[place]
        for place, number in zip(*linear_sum_assignment(-alike), strict=True)
        if alike[place, number] >= SAME
    }
    taken = set(kept.values())
    names = [kept.get(number, "") for number in range(len(new))]
    for number, name in enumerate(new):
        if number not in kept:
            names[number] = _free(name, taken)
            taken.add(names[number])
    return tuple(names)


def _free(name: str, taken: set[str]) -> str:
    """The name, or where a segment of other people is called so, the name with the next number."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"

"""Average linkage: groups of records joined while the mean probability between two groups is high enough.

Plain connected components turn a pair precision of 97 % into 70 % on dirty data: one wrong pair joins two whole people.
Here the pairs nobody believes in count as well, so a chain of lucky resemblances does not hold.

Sokal, R. and Michener, C. (1958): unweighted pair group method with arithmetic mean; the mean over all pairs of records of
the two groups, 0 for a pair that was not compared or not likely enough to be kept, -1 for one that was told apart.
"""

import heapq
from collections.abc import Iterable, Sequence

from lakehouse.identity.limited_union import Held, exceeds, find, merge_held

Pair = tuple[int, int, float]  # group, other group, sum of the probabilities of their records' pairs


def link(
    record_counts: Sequence[int], pairs: Iterable[Pair], held: Sequence[Held], limits: Sequence[int], *, least: float
) -> list[int]:
    """Join groups, the likeliest first, until none are left that are likely enough.

    Args:
        record_counts: of every group 0, 1, ...: its records that were compared with others. A group in a pair has some.
        pairs: of two different groups; one entry per two groups. Which group counts first breaks ties: number them by age.
        held: per limited type, group -> the values it holds; consumed. See lakehouse/identity/limited_union.py.
        limits: per limited type, the values one profile may hold. Two groups that would break one stay apart for good.
        least: mean probability from which two groups are one.

    Returns:
        For every group the group, one of those it was joined with, that stands for them all.
    """
    size = list(record_counts)
    parent = list(range(len(size)))
    near = _neighbours(pairs)
    queue = [
        (-likely / (size[one] * size[other]), one, other)
        for one, others in near.items()
        for other, likely in others.items()
        if one < other
    ]
    heapq.heapify(queue)
    while queue:
        negative, one, other = heapq.heappop(queue)
        total = near.get(one, {}).get(other)
        if total is None or -negative != total / (size[one] * size[other]):
            continue  # one of them has been joined since; the pair stands further back in the queue, or nowhere
        if -negative < least:
            break
        if any(exceeds(values, {one, other}, limit) for values, limit in zip(held, limits, strict=True)):
            del near[one][other], near[other][one]
            continue
        parent[other] = one
        size[one] += size[other]
        for values in held:
            merge_held(values, {other}, one)
        _take_over(near, one, other)
        for third, shared in near[one].items():
            heapq.heappush(queue, (-shared / (size[one] * size[third]), min(one, third), max(one, third)))
    return [find(parent, group) for group in range(len(parent))]


def _neighbours(pairs: Iterable[Pair]) -> dict[int, dict[int, float]]:
    """Group -> group -> what they have in common, both ways."""
    near: dict[int, dict[int, float]] = {}
    for one, other, likely in pairs:
        near.setdefault(one, {})[other] = likely
        near.setdefault(other, {})[one] = likely
    return near


def _take_over(near: dict[int, dict[int, float]], one: int, other: int) -> None:
    """Neighbours of `other` become neighbours of `one`."""
    del near[one][other]
    theirs = near.pop(other)
    del theirs[one]
    for third, total in theirs.items():
        near[one][third] = near[third][one] = near[one].get(third, 0.0) + total
        del near[third][other]

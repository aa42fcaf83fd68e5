"""Union-find with limits: the components where a limit can bite, and the unions that keep every limit there.

Finding them is sorting, so that the number of types costs nothing: every override adds one. The unions are plain Python:
their order decides, so they cannot be vectorised. Near-linear all the same: trees are joined by size with path halving,
value sets merge the smaller into the larger, and a check stops at the first value too many (so it looks at no more values
than `limit`, however often the same two large profiles are refused).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lakehouse.identity.graph import Flags, Graph, Ints

Held = dict[int, set[int]]


@dataclass(frozen=True, kw_only=True)
class Crowded:
    """Labels where a limit can bite.

    is_crowded: per label. edges, limits: per slot, the edges whose values count against its limit. A slot holds at most one
    type of each label, so there are as many as a label has types that bite, not as there are types.
    """

    is_crowded: Flags
    edges: Sequence[Ints]
    limits: Sequence[int]

    def held(self, graph: Graph, owner: Ints) -> list[Held]:
        """Per slot: owner of an actor -> its values. An owner below 0 is left out."""
        result: list[Held] = []
        for edges in self.edges:
            held: Held = {}
            for name, value in zip(owner[graph.actor[edges]].tolist(), graph.identifier[edges].tolist(), strict=True):
                if name >= 0:
                    held.setdefault(name, set()).add(value)
            result.append(held)
        return result


def crowded(graph: Graph, label: Ints, limits: Ints) -> Crowded:
    """label: per actor. limits: per type of the graph, distinct values one profile may hold."""
    labels, kinds = int(label.max(initial=-1)) + 1, len(graph.types)
    key = graph.identifier * labels + label[graph.actor]
    key.sort(kind="stable")  # all but sorted: a linking identifier has one label
    key = key[np.diff(key, prepend=-1) != 0]
    cell = (key % labels) * kinds + graph.type[key // labels] if len(key) else key
    cell, count = np.unique(cell, return_counts=True)
    cell = cell[count > limits[cell % kinds]] if len(cell) else cell
    is_crowded = np.zeros(labels, dtype=bool)
    if len(cell) == 0:
        return Crowded(is_crowded=is_crowded, edges=[], limits=[])
    is_crowded[cell // kinds] = True
    slot, of_slot = _slots(cell // kinds, limits[cell % kinds])
    edges = np.flatnonzero(is_crowded[label[graph.actor]])
    of_edge = label[graph.actor[edges]] * kinds + graph.type[graph.identifier[edges]]
    place = np.minimum(np.searchsorted(cell, of_edge), len(cell) - 1)
    edges, place = edges[cell[place] == of_edge], place[cell[place] == of_edge]
    order = np.argsort(slot[place], kind="stable")
    ends = np.cumsum(np.bincount(slot[place], minlength=len(of_slot)))
    return Crowded(is_crowded=is_crowded, edges=np.split(edges[order], ends[:-1]), limits=of_slot.tolist())


def _slots(label: Ints, limit: Ints) -> tuple[Ints, Ints]:
    """The slot of every pair of label and biting type; the limit of every slot."""
    order = np.lexsort((limit, label))
    fresh = (np.diff(label[order], prepend=-1) != 0) | (np.diff(limit[order], prepend=-1) != 0)
    starts = np.flatnonzero(fresh)
    turn = np.empty(len(label), dtype=np.int64)  # among the label's types of one limit
    turn[order] = np.arange(len(label)) - starts[np.cumsum(fresh) - 1]
    pairs, slot = np.unique(np.stack([limit, turn], axis=1), axis=0, return_inverse=True)
    return slot.reshape(-1), pairs[:, 0]


def unite(
    actor_count: int, identifiers: Iterable[Sequence[int]], held: Sequence[Held], limits: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Join the actors of each identifier, in the order given, unless the joined profile would break a limit.

    Args:
        actor_count: actors are 0..actor_count-1.
        identifiers: the actors of each, distinct, strongest identifier first.
        held: per limited type, actor -> the values of the type it carries; no entry where none. Consumed.
        limits: per limited type, the values one profile may hold.

    Returns:
        The profile of every actor, named by one of its actors; and the positions of the identifiers that were refused.
    """
    parent = list(range(actor_count))
    size = [1] * actor_count
    refused = []
    for position, members in enumerate(identifiers):
        roots = {find(parent, member) for member in members}
        if len(roots) == 1:
            continue
        if any(exceeds(values, roots, limit) for values, limit in zip(held, limits, strict=True)):
            refused.append(position)
            continue
        top = max(roots, key=size.__getitem__)
        roots.discard(top)
        for root in roots:
            parent[root] = top
            size[top] += size[root]
        for values in held:
            merge_held(values, roots, top)
    return [find(parent, actor) for actor in range(actor_count)], refused


def find(parent: list[int], actor: int) -> int:
    """The root of a tree of parents, halving the path to it."""
    while parent[actor] != actor:
        parent[actor] = parent[parent[actor]]
        actor = parent[actor]
    return actor


def exceeds(values: Held, roots: set[int], limit: int) -> bool:
    """Whether the profiles together hold more than `limit` distinct values."""
    sets = [values[root] for root in roots if root in values]
    if sum(map(len, sets)) <= limit:
        return False
    largest = max(sets, key=len)
    if len(largest) > limit:
        return True
    room = limit - len(largest)
    others: set[int] = set()
    for smaller in sets:
        if smaller is largest:
            continue
        for value in smaller:
            if value not in largest:
                others.add(value)
                if len(others) > room:
                    return True
    return False


def merge_held(values: Held, roots: set[int], top: int) -> None:
    """Let `top` hold what `roots` hold."""
    sets = [own for root in (top, *roots) if (own := values.pop(root, None)) is not None]
    if sets:
        largest = max(sets, key=len)
        for smaller in sets:
            if smaller is not largest:
                largest |= smaller
        values[top] = largest

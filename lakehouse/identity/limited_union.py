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
UNIQUE = 1  # the limit that tells people apart


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


@dataclass(frozen=True, kw_only=True)
class Link:
    """An identifier that may link: its code, the priority of its type, its actors, the oldest first."""

    identifier: int
    priority: int
    actors: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Values:
    """Of every identifier, by code: the priority of its type, and its place by age."""

    priority: Sequence[int]
    place: Sequence[int]


def unite(
    actor_count: int, links: Iterable[Link], held: Sequence[Held], limits: Sequence[int], values: Values
) -> tuple[list[int], list[int]]:
    """Join the actors of each identifier, in the order given, as far as limits allow: rule 4 of lakehouse/identity/solve.py.

    Args:
        actor_count: actors are 0..actor_count-1.
        links: strongest first.
        held: per limited type, actor -> the values of the type it carries; no entry where none. Consumed.
        limits: per limited type, the values one profile may hold.
        values: of the identifiers in `held`.

    Returns:
        The profile of every actor, named by one of its actors; and the positions of the identifiers that joined nobody.
    """
    parent = list(range(actor_count))
    size = [1] * actor_count
    surplus: dict[int, set[int]] = {}  # profile -> its values beyond a limit
    unique = [values_of for values_of, limit in zip(held, limits, strict=True) if limit == UNIQUE]
    plural = [(values_of, limit) for values_of, limit in zip(held, limits, strict=True) if limit != UNIQUE]
    refused, level = [], -1

    def join(roots: set[int]) -> int:
        top = max(roots, key=size.__getitem__)
        roots.discard(top)
        for root in roots:
            parent[root] = top
            size[top] += size[root]
            if (beyond := surplus.pop(root, None)) is not None:
                surplus.setdefault(top, set()).update(beyond)
        for values_of in held:
            merge_held(values_of, roots, top)
        return top

    def breaks(roots: set[int], priority: int) -> bool:
        return any(
            exceeds(values_of, {root for root in roots if _binds(values_of, root, values, priority)}, limit)
            for values_of, limit in plural
        )

    for position, link in enumerate(links):
        if link.priority > level:
            for values_of, limit in plural:
                _cut(values_of, limit, values, above=level, to=link.priority, surplus=surplus)
            level = link.priority
        in_age = dict.fromkeys(find(parent, actor) for actor in link.actors)
        roots = [root for root in in_age if link.identifier not in surplus.get(root, ())]
        if len(roots) < 2:
            if len(in_age) > 1:
                refused.append(position)
            continue
        if any(exceeds(values_of, set(roots), UNIQUE) for values_of in unique):
            refused.append(position)
        elif not breaks(set(roots), link.priority):
            join(set(roots))
        else:
            top, *others = roots
            joined = 0
            for root in others:
                if not breaks({top, root}, link.priority):
                    top, joined = join({top, root}), joined + 1
            if not joined:
                refused.append(position)
    return [find(parent, actor) for actor in range(actor_count)], refused


def _binds(values_of: Held, root: int, values: Values, priority: int) -> bool:
    """Whether the type a profile holds here is no weaker than the identifier that would join it."""
    held = values_of.get(root)
    return held is not None and values.priority[next(iter(held))] <= priority


def _cut(values_of: Held, limit: int, values: Values, *, above: int, to: int, surplus: dict[int, set[int]]) -> None:
    """Of the types whose turn it is, leave each profile its oldest `limit` values; the others link nobody to it."""
    for root, held in values_of.items():
        if len(held) > limit and above < values.priority[next(iter(held))] <= to:
            kept = set(sorted(held, key=values.place.__getitem__)[:limit])
            surplus.setdefault(root, set()).update(held - kept)
            values_of[root] = kept


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

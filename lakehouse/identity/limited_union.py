"""Union-find with limits: the components where a limit can bite, and the unions that keep every limit there.

Finding them is sorting, so that the number of types costs nothing: every override adds one. The unions are plain Python:
their order decides, so they cannot be vectorised. Near-linear all the same: trees are joined by size with path halving,
value sets merge the smaller into the larger, and a check stops at the first value too many (so it looks at no more values
than `limit`, however often the same two large profiles are refused).
"""

from collections.abc import Iterable, Mapping, Sequence
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
    """Of every identifier, by code: the priority of its type, and its place by age in each component it is met in. component: of every actor."""

    priority: Sequence[int]
    place: Mapping[tuple[int, int], int]
    component: Sequence[int]

    def oldest(self, values: Iterable[int], actor: int, count: int) -> set[int]:
        """So many of the values of a profile, the oldest in its component."""
        component = self.component[actor]
        return set(sorted(values, key=lambda value: self.place[component, value])[:count])


@dataclass(frozen=True, kw_only=True)
class United:
    """What `unite` found. Positions are those of the links given.

    profile: of every actor, named by one of its actors. refused: joined nobody. partial: joined some of their actors, not all.
    """

    profile: list[int]
    refused: list[int]
    partial: list[int]


def unite(
    actor_count: int, links: Iterable[Link], held: Sequence[Held], limits: Sequence[int], values: Values
) -> United:
    """Join the actors of each identifier, in the order given, as far as limits allow: rule 4 of lakehouse/identity/solve.py.

    Args:
        actor_count: actors are 0..actor_count-1.
        links: strongest first.
        held: per limited type, actor -> the values of the type it carries; no entry where none. Consumed.
        limits: per limited type, the values one profile may hold.
        values: of the identifiers in `held`.
    """
    profiles = _Profiles(actor_count, held, limits, values)
    refused: list[int] = []
    partial: list[int] = []
    for position, link in enumerate(links):
        profiles.take_turn(link.priority)
        every = dict.fromkeys(profiles.of(actor) for actor in link.actors)
        roots = [root for root in every if not profiles.is_surplus(link.identifier, root)]
        is_refused = len(roots) < 2 or profiles.are_of_two_people(roots)
        joined = 1 if is_refused else profiles.join_in_turn(roots, link.priority)
        if joined < len(every):
            (partial if joined > 1 else refused).append(position)
    return United(profile=[profiles.of(actor) for actor in range(actor_count)], refused=refused, partial=partial)


class _Profiles:
    """The profiles so far, each named by one of its actors, and the values they hold."""

    def __init__(self, actor_count: int, held: Sequence[Held], limits: Sequence[int], values: Values) -> None:
        self._parent = list(range(actor_count))
        self._size = [1] * actor_count
        self._held = held
        self._unique = [of_type for of_type, limit in zip(held, limits, strict=True) if limit == UNIQUE]
        self._plural = [pair for pair in zip(held, limits, strict=True) if pair[1] != UNIQUE]
        self._values = values
        self._surplus: dict[int, set[int]] = {}  # profile -> its values beyond a limit
        self._turn = -1

    def of(self, actor: int) -> int:
        return find(self._parent, actor)

    def is_surplus(self, identifier: int, profile: int) -> bool:
        return identifier in self._surplus.get(profile, ())

    def are_of_two_people(self, profiles: Iterable[int]) -> bool:
        return any(exceeds(of_type, set(profiles), UNIQUE) for of_type in self._unique)

    def take_turn(self, priority: int) -> None:
        """Of the types whose turn it is now, leave each profile its oldest values up to the limit; the others are surplus."""
        if priority <= self._turn:
            return
        for of_type, limit in self._plural:
            for profile, held in of_type.items():
                if len(held) > limit and self._turn < self._strength(held) <= priority:
                    kept = self._values.oldest(held, profile, limit)
                    self._surplus.setdefault(profile, set()).update(held - kept)
                    of_type[profile] = kept
        self._turn = priority

    def join_in_turn(self, profiles: Sequence[int], priority: int) -> int:
        """Join to the first those that limits allow, all at once if it can be; how many are one now."""
        if not self._breaks(set(profiles), priority):
            self._join(set(profiles))
            return len(profiles)
        top, *others = profiles
        joined = 1
        for profile in others:
            if not self._breaks({top, profile}, priority):
                top, joined = self._join({top, profile}), joined + 1
        return joined

    def _breaks(self, profiles: set[int], priority: int) -> bool:
        """Whether together they hold too many values of a type no weaker than that of the identifier that would join them."""
        return any(
            exceeds(
                of_type, {p for p in profiles if (held := of_type.get(p)) and self._strength(held) <= priority}, limit
            )
            for of_type, limit in self._plural
        )

    def _strength(self, held: set[int]) -> int:
        """The priority of the one type these values are of."""
        return self._values.priority[next(iter(held))]

    def _join(self, profiles: set[int]) -> int:
        top = max(profiles, key=self._size.__getitem__)
        profiles.discard(top)
        for profile in profiles:
            self._parent[profile] = top
            self._size[top] += self._size[profile]
            if (beyond := self._surplus.pop(profile, None)) is not None:
                self._surplus.setdefault(top, set()).update(beyond)
        for of_type in self._held:
            merge_held(of_type, profiles, top)
        return top


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

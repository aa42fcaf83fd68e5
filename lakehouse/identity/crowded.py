"""Where a limit can bite: components that, joined whole, would hold too many values of some type.

By sorting, so that the number of types costs nothing: every override adds one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lakehouse.identity.contested import Held
from lakehouse.identity.graph import Flags, Graph, Ints


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

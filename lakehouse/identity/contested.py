"""Union-find with limits, for the actors of components where some limit can bite.

Plain Python: the order of the unions decides, so they cannot be vectorised. Near-linear all the same: trees are joined
by size with path halving, value sets merge the smaller into the larger, and a check stops at the first value too many
(so it looks at no more values than `limit`, however often the same two large profiles are refused).
"""

from collections.abc import Iterable, Sequence

Held = dict[int, set[int]]


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
    sets = [found for root in (top, *roots) if (found := values.pop(root, None)) is not None]
    if sets:
        largest = max(sets, key=len)
        for smaller in sets:
            if smaller is not largest:
                largest |= smaller
        values[top] = largest

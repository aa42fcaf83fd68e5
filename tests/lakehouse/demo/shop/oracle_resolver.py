"""Oracle: an identity resolver in plain Python. The rule the lake's solver follows, written without it.

Strongest identifier type first; an identifier whose members together would put two user_ids into one profile links
nobody. Limits and blocked values are left out: the planned world stays within them.
"""

from collections import defaultdict

from lakehouse.demo.evaluation import identifiers
from lakehouse.demo.truth import BOT, IDENTIFIER_TYPES, Truth, Unit


def resolve(truth: Truth) -> dict[int, str]:
    """Unit -> profile, for every unit that is no bot. Units with the same bundle are one actor."""
    first: dict[tuple[str | None, ...], int] = {}
    actor_of = {
        n: first.setdefault(u.bundle, n) for n, u in enumerate(truth.units) if truth.behaviours[u.person_id] != BOT
    }
    profiles = _solve({actor: truth.units[actor] for actor in set(actor_of.values())})
    return {n: str(profiles[actor]) for n, actor in actor_of.items()}


def _solve(actors: dict[int, Unit]) -> dict[int, int]:
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for actor, unit in sorted(actors.items()):
        for identifier in identifiers(unit):
            members[identifier].append(actor)
    profile_of = {actor: actor for actor in actors}
    inside = {actor: [actor] for actor in actors}
    users = {actor: {unit.bundle[0]} - {None} for actor, unit in actors.items()}
    for identifier in sorted(members, key=lambda i: (IDENTIFIER_TYPES.index(i[0]), i[1])):
        profiles = sorted({profile_of[actor] for actor in members[identifier]})
        together = set().union(*(users[profile] for profile in profiles))
        if len(together) > 1:
            continue
        keep = profiles[0]
        for profile in profiles[1:]:
            for actor in inside.pop(profile):
                profile_of[actor] = keep
                inside[keep].append(actor)
        users[keep] = together
    return profile_of

"""People who change their minds, merge and split, and whose word holds by a rule that looks backwards: who spoke last?

lakehouse/consent/standing.py goes along time and keeps who is one person. This starts at the end, and finds who is one person by looking at every pair.
"""

import random
from collections.abc import Sequence

from lakehouse.consent.standing import Person, Speaker, Statement

PURPOSES = ("analytics", "marketing", "sale")
IDENTIFIERS = ("cookie:1", "cookie:2", "cookie:3", "user:a", "user:b", "mail:x")


def people(chance: random.Random, many: int) -> list[Speaker]:
    """Actors that share some identifiers, each with a few statements. Times are small numbers: many happen at once."""
    return [_actor(chance, f"a{number}") for number in range(many)]


def _actor(chance: random.Random, name: str) -> Speaker:
    """Mostly somebody who speaks and carries one identifier, or who ties two later on and says nothing."""
    ties = chance.random() < 0.4
    first = chance.randint(10, 40) if ties else chance.randint(0, 25)
    said = [
        Statement(purpose, first + chance.randint(0, 12), f"{name}-{number}", chance.random() < 0.6)
        for number in range(chance.choice((0, 0, 0, 1) if ties else (0, 1, 1, 2, 3)))
        for purpose in chance.sample(PURPOSES, chance.randint(1, 3))
    ]
    return Speaker(name, first, chance.sample(IDENTIFIERS, 2 if ties else 1), said)


def parts(speakers: Sequence[Speaker]) -> list[list[Speaker]]:
    """Those that shared identifiers hold together, by looking at every pair again and again."""
    groups = [[one] for one in speakers]
    while True:
        pair = next(
            (
                (one, other)
                for number, one in enumerate(groups)
                for other in groups[number + 1 :]
                if any(set(a.identifiers) & set(b.identifiers) for a in one for b in other)
            ),
            None,
        )
        if pair is None:
            return groups
        groups = [group for group in groups if group not in pair] + [pair[0] + pair[1]]


def backwards(members: Sequence[Speaker], purpose: str, before: tuple[int, int, str]) -> bool | None:
    """The word of one person: of what happened last. A statement is the answer; who turned up last is taken away, and what is left is asked."""
    moments: list[tuple[tuple[int, int, str], Speaker, Statement | None]]
    moments = [((one.first_at, 0, one.actor_id), one, None) for one in members]
    moments += [
        ((said.at, 1, said.message_id), one, said)
        for one in members
        for said in one.statements
        if said.purpose == purpose
    ]
    at, last, said = max((moment for moment in moments if moment[0] < before), key=lambda moment: moment[0])
    if said is not None:
        return said.is_allowed
    rest = [one for one in members if one is not last]
    answers = {backwards(part, purpose, at) for part in parts(rest)} - {None}
    return None if not answers else answers == {True}


def model(speakers: Sequence[Speaker], until: int) -> dict[frozenset[str], dict[str, bool]]:
    """Who is one person by then, and what holds of each."""
    known = [one for one in speakers if one.first_at <= until]
    found: dict[frozenset[str], dict[str, bool]] = {}
    for part in parts(known):
        told = {purpose: backwards(part, purpose, (until, 2, "")) for purpose in PURPOSES}
        found[frozenset(one.actor_id for one in part)] = {p: word for p, word in told.items() if word is not None}
    return found


def told(found: Sequence[Person]) -> dict[frozenset[str], dict[str, bool]]:
    return {frozenset(one.actors): {p: held.is_allowed for p, held in one.held.items()} for one in found}

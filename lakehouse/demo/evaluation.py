"""How well profiles agree with the people of a simulated stream, in pairs of units.

A unit is one person's use of one bundle of identifiers (an actor). A bundle that two people carried counts once for
each of them, so what cannot be told apart costs precision. Bots are left out: they never reach profiles.
Two units of one person are a reachable pair when a chain of identifiers that no other person ever carries joins them.
Pairs are counted by contingency tables, never enumerated: sum of n(n-1)/2 over cells.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.demo.truth import BOT, IDENTIFIER_TYPES, Truth, Unit, read_truth


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """Shares in 0..1; 1 where there is nothing to count. `unassigned`: units none of whose messages has a profile."""

    precision: float  # of pairs in one profile, those of one person
    recall: float  # of pairs of one person, those in one profile
    reachable_recall: float  # of reachable pairs, those in one profile
    profile_pairs: int
    person_pairs: int
    reachable_pairs: int
    units: int
    unassigned: int


def pair_scores(truth: Truth | Path, assignment: Mapping[str, str]) -> PairScores:
    """Compare `assignment` (message_id -> profile_id) with the truth, or with the folder it was written to.

    Messages the truth does not know are ignored. A unit without any assigned message counts as a profile of its own.
    A unit's profile is that of its first assigned message: an actor has one profile.
    """
    truth = read_truth(truth) if isinstance(truth, Path) else truth
    profile_of: dict[int, str] = {}
    for message_id, unit in truth.unit_of.items():
        if unit not in profile_of and (profile := assignment.get(message_id)) is not None:
            profile_of[unit] = profile
    return unit_scores(truth, profile_of)


def unit_scores(truth: Truth, profile_of: Mapping[int, str]) -> PairScores:
    """As `pair_scores`, from unit (index into truth.units) -> profile_id."""
    units = [n for n, unit in enumerate(truth.units) if truth.behaviours[unit.person_id] != BOT]
    profiles: dict[int, Hashable] = {n: profile_of.get(n, ("alone", n)) for n in units}
    people = {n: truth.units[n].person_id for n in units}
    groups = reachable_groups(truth.units)
    profile_pairs = _pairs(profiles.values())
    person_pairs = _pairs(people.values())
    reachable_pairs = _pairs(groups[n] for n in units)
    right = _pairs((people[n], profiles[n]) for n in units)
    reached = _pairs((groups[n], profiles[n]) for n in units)
    return PairScores(
        precision=_share(right, profile_pairs),
        recall=_share(right, person_pairs),
        reachable_recall=_share(reached, reachable_pairs),
        profile_pairs=profile_pairs,
        person_pairs=person_pairs,
        reachable_pairs=reachable_pairs,
        units=len(units),
        unassigned=sum(n not in profile_of for n in units),
    )


def reachable_groups(units: list[Unit]) -> list[int]:
    """For every unit, a number that reachable units share: components over identifiers that one person alone carries."""
    carriers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for unit in units:
        for identifier in identifiers(unit):
            carriers[identifier].add(unit.person_id)
    parent = list(range(len(units)))
    first: dict[tuple[str, str], int] = {}
    for n, unit in enumerate(units):
        for identifier in identifiers(unit):
            if len(carriers[identifier]) == 1:
                a, b = _root(parent, n), _root(parent, first.setdefault(identifier, n))
                parent[max(a, b)] = min(a, b)
    return [_root(parent, n) for n in range(len(units))]


def identifiers(unit: Unit) -> list[tuple[str, str]]:
    """(type, value) of what the unit carries, strongest type first."""
    return [(kind, value) for kind, value in zip(IDENTIFIER_TYPES, unit.bundle, strict=True) if value is not None]


def _root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = n = parent[parent[n]]
    return n


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(labels).values())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0

"""EM against pairs drawn from a known truth: strangers, households, and records of one person."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest

from lakehouse.matching.expectation import Fitted, Patterns, fit
from lakehouse.matching.fields import fields
from lakehouse.matching.levels import GENERATION, levels
from lakehouse.matching.splink_start import Start, cautious

PEOPLE = fields(
    {"first": "given_name", "last": "family_name", "dob": "date", "street": "address", "tel": "phone", "mail": "email"}
)
FIRST, LAST, DOB, STREET, TEL, MAIL = range(len(PEOPLE))
COUNTS = [len(levels(PEOPLE, index)) + 1 for index in range(len(PEOPLE))]
A_GENERATION = [label for label, _ in levels(PEOPLE, DOB)].index(GENERATION)
RECORDS = 4_000


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Pairs that share enough to be candidates, by kind; and how often people of one household share each field.

    `wrong`: by field, how often two records of one person do not agree at all.
    """

    matches: int = 6_000
    households: int = 5_000
    shared: tuple[float, ...] = (0.0, 0.9, 0.0, 1.0, 0.5, 0.1)
    wrong: tuple[float, ...] = (0.03, 0.03, 0.03, 0.1, 0.3, 0.3)
    gap: float = 0.15


def _m(wrong: float, count: int) -> np.ndarray:
    """Most agree exactly, a tenth nearly."""
    near = np.full(count - 2, 0.1 / (count - 2))
    return np.array([0.9 - wrong, *near, wrong])


def _u(exact: float, count: int) -> np.ndarray:
    near = np.full(count - 2, exact / (count - 2))
    return np.array([exact, *near, 1 - 2 * exact])


def _born(shares: np.ndarray, a_generation: float) -> np.ndarray:
    """Shares of the levels of a birthday: many strangers are a generation apart in two or three digits, few records of one person."""
    found = shares.copy()
    found[A_GENERATION] = a_generation
    return found / found.sum()


U = [_u(exact, count) for exact, count in zip((0.01, 0.002, 1e-4, 1e-3, 1e-5, 1e-5), COUNTS, strict=True)]
U[DOB] = _born(U[DOB], 0.14)


def drawn(truth: Truth, seed: int) -> tuple[Patterns, np.ndarray]:
    """Patterns, and the kind of every pair: 0 one person, 1 a household, 2 strangers who have two values in common."""
    chance = np.random.default_rng(seed)
    met = list(combinations(range(len(PEOPLE)), 2))
    possible = RECORDS * (RECORDS - 1) / 2
    strangers = [chance.poisson(possible * U[one][0] * U[other][0]) for one, other in met]
    kind = np.repeat([0, 1, 2], [truth.matches, truth.households, sum(strangers)])
    table = np.empty((len(kind), len(PEOPLE)), dtype=np.int64)
    for index, count in enumerate(COUNTS):
        shares = _m(truth.wrong[index], count)
        shares = _born(shares, 0.01) if index == DOB else shares
        as_one, by_chance = (chance.choice(count, len(kind), p=p) for p in (shares, U[index]))
        is_shared = (kind == 0) | ((kind == 1) & (chance.random(len(kind)) < truth.shared[index]))
        table[:, index] = np.where(is_shared, as_one, by_chance)
        table[chance.random(len(kind)) < truth.gap, index] = -1
    in_common = np.repeat(met, strangers, axis=0)
    for place in (0, 1):
        table[np.flatnonzero(kind == 2), in_common[:, place]] = 0
    found, of_pair, pairs = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    return Patterns(levels=found, pairs=pairs.astype(np.float64), of_pair=of_pair.ravel()), kind


def fitted(patterns: Patterns) -> Fitted:
    """From what blocks of one family name would have said: that given names of one person mostly disagree."""
    m = [cautious(count) for count in COUNTS]
    m[FIRST] = _m(0.6, COUNTS[FIRST])
    return fit(patterns, Start(m=m, u=U), PEOPLE, RECORDS)


def _accuracy(found: Fitted, kind: np.ndarray) -> tuple[float, float]:
    """Precision and recall of the pairs that are more likely than not of one person."""
    is_match = found.probability >= 0.5
    right = (is_match & (kind == 0)).sum()
    return right / is_match.sum(), right / (kind == 0).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("matches", "households"), [(6_000, 5_000), (1_000, 10_000), (10_000, 1_000)])
def test_people_who_live_together_are_told_from_one_person(matches, households, seed):
    patterns, kind = drawn(Truth(matches=matches, households=households), seed)
    found = fitted(patterns)
    precision, recall = _accuracy(found, kind)
    assert precision >= 0.97
    assert recall >= 0.9
    assert found.probability.sum() == pytest.approx(matches, rel=0.1)
    household = found.sharing[0]
    assert min(household.shared[LAST], household.shared[STREET]) > 0.85
    assert household.shared[TEL] == pytest.approx(0.6, abs=0.25)
    assert household.shared[MAIL] == pytest.approx(0.12, abs=0.06)
    assert max(household.shared[FIRST], household.shared[DOB]) < 0.06
    assert found.m[FIRST][-1] < 0.05


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wrong", [(0.03, 0.03, 0.03, 0.1, 0.3, 0.3), (0.2, 0.1, 0.2, 0.2, 0.3, 0.3)])
def test_records_full_of_mistakes_are_no_households(wrong, seed):
    truth = Truth(households=0, wrong=wrong)
    patterns, kind = drawn(truth, seed)
    found = fitted(patterns)
    assert found.sharing == ()
    assert found.probability.sum() == pytest.approx(truth.matches, rel=0.03)
    assert [m[-1] for m in found.m] == pytest.approx(wrong, abs=0.03)
    assert min(_accuracy(found, kind)) > 0.96


@pytest.mark.parametrize("seed", range(4))
def test_how_often_fathers_and_sons_have_one_name_is_found(seed):
    patterns, _ = drawn(Truth(shared=(0.1, 0.9, 0.0, 1.0, 0.5, 0.1)), seed)
    household = fitted(patterns).sharing[0]
    assert household.shared[FIRST] == pytest.approx(0.12, abs=0.04)
    assert household.shared[DOB] < 0.03


@pytest.mark.parametrize(("households", "is_wary"), [(5_000, True), (0, False)])
def test_where_people_live_together_birthdays_of_parent_and_child_say_no_less_than_any_that_differ(households, is_wary):
    patterns, _ = drawn(Truth(households=households), 1)
    found = fitted(patterns)
    ratios = found.m[DOB] / U[DOB]
    assert (found.sharing != ()) == is_wary
    assert (ratios[A_GENERATION] <= ratios[-1] * (1 + 1e-9)) == is_wary


def test_without_given_names_and_birthdays_there_are_two_kinds_of_pairs():
    patterns, _ = drawn(Truth(), 1)
    compared = fields({"last": "family_name", "street": "address"})
    part = replace(patterns, levels=patterns.levels[:, [LAST, STREET]])
    counts = [COUNTS[LAST], COUNTS[STREET]]
    found = fit(part, Start(m=[cautious(count) for count in counts], u=[U[LAST], U[STREET]]), compared, RECORDS)
    assert found.sharing == ()
    assert found.together == 0

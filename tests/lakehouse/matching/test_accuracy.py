from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.matching.accuracy import Scores, b_cubed, largest, pairwise
from tests.lakehouse.identity.identity_graphs import examples

LABELS = st.lists(st.tuples(st.sampled_from(["x", "y", "z", 1, None]), st.sampled_from("pqr")), max_size=12)


def _slow_pairwise(found, truth):
    pairs = list(combinations(range(len(found)), 2))
    together = [pair for pair in pairs if found[pair[0]] == found[pair[1]]]
    belonging = [pair for pair in pairs if truth[pair[0]] == truth[pair[1]]]
    right = len(set(together) & set(belonging))
    return (right / len(together) if together else 1.0, right / len(belonging) if belonging else 1.0)


def _slow_b_cubed(found, truth):
    every = range(len(found))
    shares = []
    for mine, other in ((found, truth), (truth, found)):
        of_record = []
        for record in every:
            group = [one for one in every if mine[one] == mine[record]]
            of_record.append(sum(other[one] == other[record] for one in group) / len(group))
        shares.append(sum(of_record) / len(of_record) if of_record else 1.0)
    return tuple(shares)


@examples(300)
@given(labels=LABELS)
def test_scores_are_those_of_brute_force(labels):
    found, truth = [a for a, _ in labels], [b for _, b in labels]
    pairs, cubed = pairwise(found, truth), b_cubed(found, truth)
    assert (pairs.precision, pairs.recall) == pytest.approx(_slow_pairwise(found, truth))
    assert (cubed.precision, cubed.recall) == pytest.approx(_slow_b_cubed(found, truth))
    assert largest(found) == max((found.count(label) for label in found), default=0)


def test_three_records_together_of_which_two_belong():
    found, truth = ["p", "p", "p", "q"], [1, 1, 2, 2]
    assert pairwise(found, truth) == Scores(precision=1 / 3, recall=1 / 2)
    assert pairwise(found, truth).f1 == pytest.approx(0.4)
    # Records: two thirds, two thirds, one third, all of their group; all, all, half, half of their person.
    assert b_cubed(found, truth) == Scores(precision=pytest.approx(2 / 3), recall=pytest.approx(3 / 4))


def test_nothing_found_is_precise_and_f1_of_nothing_right_is_zero():
    assert pairwise(["a", "b"], [1, 1]) == Scores(precision=1.0, recall=0.0)
    assert Scores(precision=0.0, recall=0.0).f1 == 0.0

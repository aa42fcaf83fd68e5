import copy
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.linkage import link
from tests.lakehouse.identity.identity_graphs import examples


def _slow(record_counts, pairs, held, limits, least):
    """The definition: in every round the two groups with the highest mean, the older ones first, unless a limit breaks."""
    groups = [{number} for number in range(len(record_counts))]

    def mean(one, other):
        total = sum(p for a, b, p in pairs if (a in one and b in other) or (a in other and b in one))
        return total / (sum(record_counts[g] for g in one) * sum(record_counts[g] for g in other))

    def fits(together):
        return all(
            len(set().union(*(values.get(group, set()) for group in together))) <= limit
            for values, limit in zip(held, limits, strict=True)
        )

    while True:
        met = {frozenset(pair[:2]) for pair in pairs}
        ranked = [
            (-mean(one, other), *sorted([min(one), min(other)]), one, other)
            for one, other in combinations(groups, 2)
            if any(frozenset([a, b]) in met for a in one for b in other) and fits(one | other)
        ]
        if not ranked or -(best := min(ranked, key=lambda entry: entry[:3]))[0] < least:
            return [min(next(group for group in groups if number in group)) for number in range(len(record_counts))]
        groups = [group for group in groups if group not in best[3:]] + [best[3] | best[4]]


@st.composite
def _cases(draw):
    """Probabilities in 64ths, so that sums are exact and ties are real."""
    count = draw(st.integers(2, 9))
    counts = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    met = draw(st.lists(st.sampled_from(list(combinations(range(count), 2))), unique=True, max_size=20))
    of_64 = st.sampled_from([1, 8, 16, 32, 32, 48, 60, 64])
    pairs = [(a, b, draw(of_64) / 64 * counts[a] * counts[b]) for a, b in met]
    kinds = draw(st.integers(0, 2))
    values = st.dictionaries(st.integers(0, count - 1), st.sets(st.integers(0, 3), min_size=1, max_size=2))
    held = [draw(values) for _ in range(kinds)]
    limits = [draw(st.integers(1, 3)) for _ in range(kinds)]
    return counts, pairs, held, limits, draw(st.sampled_from([0.0, 0.25, 0.4, 0.5, 0.9, 1.0]))


@examples(400)
@given(case=_cases(), chance=st.randoms(use_true_random=False))
def test_linkage_is_the_definition_and_the_order_of_the_pairs_does_not_matter(case, chance):
    counts, pairs, held, limits, least = case
    expected = _slow(counts, pairs, held, limits, least)
    assert link(counts, pairs, copy.deepcopy(held), limits, least=least) == expected
    chance.shuffle(pairs)
    assert link(counts, pairs, copy.deepcopy(held), limits, least=least) == expected


def test_a_chain_whose_ends_are_nothing_alike_is_not_joined():
    assert link([1, 1, 1], [(0, 1, 0.9), (1, 2, 0.8)], [], [], least=0.5) == [0, 0, 2]  # mean of 0-2 and 1-2: 0.4
    assert link([1, 1, 1], [(0, 1, 0.9), (1, 2, 0.8)], [], [], least=0.4) == [0, 0, 0]


def test_a_mean_at_the_least_joins_and_one_below_does_not():
    assert link([1, 1], [(0, 1, 0.5)], [], [], least=0.5) == [0, 0]
    assert link([1, 1], [(0, 1, 0.499)], [], [], least=0.5) == [0, 1]
    assert link([2, 1], [(0, 1, 0.9)], [], [], least=0.5) == [0, 1]  # of two records one resembles it: 0.45


def test_of_equally_likely_pairs_the_oldest_group_goes_first():
    held = [{0: {1}, 2: {2}}]
    assert link([1, 1, 1], [(1, 2, 0.9), (0, 1, 0.9)], held, [1], least=0.4) == [0, 0, 2]


def test_two_groups_over_a_limit_stay_apart_for_good():
    held = [{0: {1}, 1: {2}}]
    pairs = [(0, 1, 0.99), (1, 2, 0.9), (0, 2, 0.6)]
    assert link([1, 1, 1], pairs, held, [1], least=0.4) == [0, 1, 1]


def test_no_pairs_join_nobody():
    assert link([], [], [], [], least=0.5) == []
    assert link([1, 0], [], [], [], least=0.5) == [0, 1]

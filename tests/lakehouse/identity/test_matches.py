"""Likely pairs, through the solver that uses them."""

import random
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.graph import build
from lakehouse.identity.matches import MATCH, match_edges, probabilities, told_apart
from lakehouse.identity.solve import solve
from tests.lakehouse.identity.identity_graphs import (
    RULES,
    actors_of,
    apart,
    communities,
    edges_of,
    examples,
    slow_solve,
    values_of,
)

LEAST = 0.4
SURE, HALF, APART = 60.0, 0.0, -60.0  # bits: exactly 1.0, 0.5 and as good as 0 as probabilities, so that ties are ties


def _pairs(*pairs):
    return pd.DataFrame([(*sorted(pair[:2]), pair[2]) for pair in pairs], columns=["actor_l", "actor_r", "weight"])


def _edges(graph, pairs):
    named = edges_of(graph).assign(weight=0.0)
    return pd.concat([named, match_edges(_pairs(*pairs))], ignore_index=True) if pairs else named


def _profiles(graph, pairs, edges=None):
    edges = _edges(graph, pairs) if edges is None else edges
    answer = solve(edges, actors_of(graph), RULES, match_probability=LEAST)
    return answer.set_index("actor_id")["profile_id"].to_dict()


def _slow_counted(probability):
    """Nothing for a pair of an actor that is as like two people, who are told apart, as the pair is alike."""

    def between(actor, one, other):
        return min(probability.get(frozenset([actor, one]), 0.0), probability.get(frozenset([actor, other]), 0.0))

    apart = [tuple(pair) for pair, p in probability.items() if p < 0]
    return {
        pair: p if p < 0 or all(p > between(actor, *two) for actor in pair for two in apart) else 0.0
        for pair, p in probability.items()
    }


def _slow(graph, pairs):
    """Identifiers as without pairs; then in every round the likeliest two profiles, unless a limit breaks."""
    by_identifiers, _ = slow_solve(graph, RULES)
    groups = {}
    for actor, profile in by_identifiers.items():
        groups.setdefault(profile, set()).add(actor)
    described = {actor for pair in pairs for actor in pair[:2]}
    counts = _slow_counted({frozenset(pair[:2]): {SURE: 1.0, HALF: 0.5, APART: -1.0}[pair[2]] for pair in pairs})

    def age(actors):
        return min((graph[actor][0], actor) for actor in actors)

    def fits(actors):
        words = " ".join(graph[actor][1] for actor in actors)
        return all(len(values_of(words, kind)) <= rule.limit for kind, rule in RULES.items())

    profiles = list(groups.values())
    while True:
        ranked = []
        for one, other in combinations(sorted(profiles, key=age), 2):
            total = sum(counts.get(frozenset([a, b]), 0.0) for a in one for b in other)
            if total > 0 and fits(one | other):
                mean = total / (len(one & described) * len(other & described))
                ranked.append((-mean, age(one), age(other), one, other))
        if not ranked or -(best := min(ranked, key=lambda entry: entry[:3]))[0] < LEAST:
            return {actor: age(profile)[1] for profile in profiles for actor in profile}
        profiles = [profile for profile in profiles if profile not in best[3:]] + [best[3] | best[4]]


@st.composite
def _matched(draw):
    """Ten communities that share nothing, each with pairs of its own: one solve costs little more, and tries as much as ten."""
    drawn = []
    for number in range(10):
        graph = apart(number, draw(communities()))
        possible = list(combinations(sorted(graph), 2))
        met = draw(st.lists(st.sampled_from(possible), unique=True, max_size=14)) if possible else []
        drawn.append((graph, [(*pair, draw(st.sampled_from([SURE, HALF, APART]))) for pair in met]))
    return drawn


def _together(matched):
    """The communities as one graph."""
    graph = {name: actor for one, _ in matched for name, actor in one.items()}
    return graph, [pair for _, pairs in matched for pair in pairs]


@examples(30)
@given(matched=_matched(), chance=st.randoms(use_true_random=False))
def test_pairs_join_by_the_definition_and_order_and_duplicates_do_not_matter(matched, chance):
    expected = {actor: profile for one in matched for actor, profile in _slow(*one).items()}
    graph, pairs = _together(matched)
    assert _profiles(graph, pairs) == expected
    edges = _edges(graph, pairs)
    order = random.Random(chance.randrange(2**32)).sample(range(2 * len(edges)), 2 * len(edges))
    again = pd.concat([edges, edges], ignore_index=True).iloc[order]
    assert _profiles(graph, pairs, again) == expected


@examples(20)
@given(matched=_matched())
def test_a_pair_breaks_no_limit_and_splits_nothing_an_identifier_joined(matched):
    graph, pairs = _together(matched)
    before, after = _profiles(graph, []), _profiles(graph, pairs)
    for one, other in combinations(graph, 2):
        assert before[one] != before[other] or after[one] == after[other]
    for profile in set(after.values()):
        members = [actor for actor in graph if after[actor] == profile]
        if len({before[actor] for actor in members}) == 1:
            continue  # no pair joined anybody to it
        words = " ".join(graph[actor][1] for actor in members)
        assert all(len(values_of(words, kind)) <= rule.limit for kind, rule in RULES.items())


TWO_LOGINS = {"ann": (1, "user_id:ann"), "bea": (2, "user_id:bea"), "old": (0, "email:x"), "new": (3, "email:x")}


def test_the_likeliest_pair_wins_a_record_that_two_logins_resemble():
    assert _profiles(TWO_LOGINS, [("ann", "old", SURE)])["ann"] == "old"
    assert _profiles(TWO_LOGINS, [("ann", "new", HALF), ("bea", "new", SURE)]) == {
        "ann": "ann",
        "bea": "old",
        "old": "old",
        "new": "old",
    }


def test_two_logins_stay_two_however_alike_they_are():
    found = _profiles(TWO_LOGINS, [("ann", "bea", SURE)])
    assert (found["ann"], found["bea"]) == ("ann", "bea")


def test_a_chain_whose_ends_are_nothing_alike_is_not_joined():
    graph = {"a": (0, ""), "b": (1, ""), "c": (2, ""), "d": (3, "")}
    chain = [("a", "b", SURE), ("b", "c", HALF), ("c", "d", HALF)]
    assert _profiles(graph, chain) == {"a": "a", "b": "a", "c": "c", "d": "c"}


TWINS = {"ann": (0, ""), "bea": (1, ""), "ann too": (2, ""), "a": (3, "")}


def test_a_record_that_is_like_both_twins_joins_neither():
    apart = [("ann", "bea", APART), ("ann too", "bea", APART), ("ann", "ann too", 9.0)]
    either = [("ann", "a", 4.0), ("ann too", "a", 4.0), ("bea", "a", 3.0)]
    assert _profiles(TWINS, apart + either) == {"ann": "ann", "ann too": "ann", "bea": "bea", "a": "a"}


def test_a_record_that_is_clearly_liker_one_twin_joins_that_one():
    apart = [("ann", "bea", APART), ("ann too", "bea", APART), ("ann", "ann too", 9.0)]
    one = [("ann", "a", 5.1), ("ann too", "a", 5.1), ("bea", "a", 3.0)]
    assert _profiles(TWINS, apart + one) == {"ann": "ann", "ann too": "ann", "bea": "bea", "a": "ann"}


def test_two_records_told_apart_hold_two_profiles_apart():
    graph = {"ann": (0, "email:x"), "bea": (1, ""), "old": (2, "email:x")}
    assert _profiles(graph, [("old", "bea", 5.0)])["bea"] == "ann"
    assert _profiles(graph, [("old", "bea", 5.0), ("ann", "bea", APART)])["bea"] == "bea"  # (0.97 - 1) / 2


def test_a_pair_told_apart_is_no_cause_where_an_identifier_joins_the_two():
    graph = {"ann": (0, "email:x"), "bea": (1, "email:x")}
    edges = _edges(graph, [("ann", "bea", APART)])
    answer = solve(edges, actors_of(graph), RULES, match_probability=LEAST).set_index("actor_id")
    assert answer.loc["bea", ["profile_id", "cause"]].tolist() == ["ann", "email"]
    assert told_apart(edges).tolist() == [False, False, True, True]


def test_only_records_that_were_described_count_in_the_mean():
    graph = {"a": (0, "email:x"), "b": (1, "email:x"), "c": (2, "email:x"), "d": (3, "")}
    assert _profiles(graph, [("a", "d", HALF)])["d"] == "a"  # b and c have nothing to compare
    graph["e"] = (4, "")
    found = _profiles(graph, [("a", "d", HALF), ("b", "e", HALF)])  # d resembles one of the two described: 0.25
    assert (found["d"], found["e"]) == ("d", "e")


def test_a_pair_is_two_edges_of_one_identifier():
    edges = match_edges(_pairs(("b", "a", 3.5)))
    assert edges.to_dict("records") == [
        {"actor_id": actor, "identifier_token": "a:b", "weight": 3.5, "identifier_type": MATCH, "kind": "probabilistic"}
        for actor in ("a", "b")
    ]
    assert match_edges(_pairs()).empty


def test_probabilities_are_those_of_pairs_and_the_greatest_of_duplicates_counts():
    graph = {"a": (0, "email:x"), "b": (1, "email:x"), "c": (2, "")}
    edges = _edges(graph, [("a", "b", 2.0), ("b", "c", -2.0)])
    stale = edges[edges["identifier_type"] == MATCH].assign(weight=-9.0)
    built = build(edges, actors_of(graph))
    expected = sorted([0.0, 0.2, 0.8])
    for order in ([edges, stale], [stale, edges]):
        found = probabilities(built, pd.concat(order, ignore_index=True))
        assert sorted(found.tolist()) == pytest.approx(expected)
    assert np.isfinite(probabilities(built, edges.assign(weight=5000.0))).all()

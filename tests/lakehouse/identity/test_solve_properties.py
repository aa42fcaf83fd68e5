"""What must be true of `solve` on any graph; the examples worked by hand are in test_solve.py."""

import random

import networkx as nx
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import IdentifierRule
from lakehouse.identity.solve import solve
from tests.lakehouse.identity.identity_graphs import (
    FOREVER,
    RULES,
    RULES_OFF,
    actors_of,
    edges_of,
    examples,
    graphs,
    may_link,
    profiles,
    slow_solve,
    solved,
    values_of,
)


@given(graphs(), st.randoms(use_true_random=False))
@examples(30)
def test_order_and_duplicates_of_rows_do_not_matter(graph, shuffler):
    edges, actors = edges_of(graph), actors_of(graph)
    later = actors.assign(first_seen_at=actors["first_seen_at"] + pd.Timedelta(minutes=3))
    more_edges, more_actors = pd.concat([edges, edges]), pd.concat([later, actors])
    seed = shuffler.randrange(2**32)
    shuffled = solve(more_edges.sample(frac=1, random_state=seed), more_actors.sample(frac=1, random_state=seed), RULES)
    pd.testing.assert_frame_equal(shuffled, solve(edges, actors, RULES))


@given(graphs())
@examples(50)
def test_solve_is_the_rule_word_for_word(graph):
    answer = solved(graph)
    expected, links = slow_solve(graph, RULES)
    assert answer["profile_id"].to_dict() == expected
    for actor, cause in answer["cause"].items():
        others = {one for one, name in expected.items() if name == expected[actor] and one != actor}
        linked = {word: may_link(word, graph, RULES) for word in set(graph[actor][1].split()) & links}
        kinds = [word.split(":")[0] for word, linked in linked.items() if actor in linked and linked & others]
        names_it = actor == expected[actor]
        assert cause == (None if names_it else min(kinds, key=lambda kind: RULES[kind].priority))


@given(graphs())
@examples(30)
def test_with_the_rules_off_profiles_are_the_connected_components_of_networkx(graph):
    oracle = nx.Graph()
    oracle.add_nodes_from(graph)
    oracle.add_edges_from((actor, word) for actor, (_, words) in graph.items() for word in words.split())
    parts = [part & graph.keys() for part in nx.connected_components(oracle)]
    oldest = {actor: min((graph[a][0], a) for a in part)[1] for part in parts for actor in part}
    assert profiles(graph, RULES_OFF) == oldest
    assert solved(graph, RULES_OFF)["component_id"].to_dict() == oldest


@given(graphs())
@examples(30)
def test_components_are_those_of_the_graph_without_what_hubs_do_not_link(graph):
    oracle = nx.Graph()
    oracle.add_nodes_from(graph)
    for word in set().union(*(words.split() for _, words in graph.values())):
        oracle.add_edges_from((actor, word) for actor in may_link(word, graph, RULES))
    parts = [part & graph.keys() for part in nx.connected_components(oracle)]
    oldest = {actor: min((graph[a][0], a) for a in part)[1] for part in parts for actor in part}
    assert solved(graph)["component_id"].to_dict() == oldest


@given(graphs(), st.integers(1, 9))
@examples(30)
def test_no_part_of_a_swarm_is_larger_than_the_bound_unless_one_type_holds_it(graph, most):
    answer = solve(edges_of(graph), actors_of(graph), RULES_OFF, max_component_actors=most).set_index("actor_id")
    free = solved(graph, RULES_OFF)
    assert answer["component_id"].to_dict() == free["component_id"].to_dict()
    for component, group in answer.groupby("component_id"):
        if len(group) <= most:
            assert set(group["profile_id"]) == {component}
        for _, part in group.groupby("profile_id"):
            if len(part) > most:
                assert part["cause"].nunique() == 1


@given(graphs())
@examples(30)
def test_no_profile_of_two_actors_holds_two_user_ids(graph):
    answer = solved(graph)
    for profile, group in answer.groupby("profile_id"):
        assert profile in group.index
        assert group["component_id"].nunique() == 1
        words = " ".join(graph[actor][1] for actor in group.index)
        assert len(group) == 1 or len(values_of(words, "user_id")) <= 1


@given(graphs())
@examples(50)
def test_the_strongest_identifier_keeps_linking_whatever_else_its_actors_carry(graph):
    """A customer of a hundred and one cookies is one customer: only a second user_id, or the cap, takes a login apart."""
    answer = solved(graph)
    logins = {actor: values_of(words, "user_id") for actor, (_, words) in graph.items()}
    for login in set().union(*logins.values()):
        carriers = list(may_link(login, graph, RULES))
        if carriers and all(len(logins[actor]) == 1 for actor in carriers):
            assert answer.loc[carriers, "profile_id"].nunique() == 1


@given(graphs())
@examples(30)
def test_only_an_identifier_that_may_link_an_actor_is_why_it_is_where_it_is(graph):
    answer = solved(graph)
    for actor, cause in answer["cause"].dropna().items():
        linked = [may_link(word, graph, RULES) for word in values_of(graph[actor][1], cause)]
        assert any(actor in together and len(together) > 1 for together in linked)


@given(graphs(), st.randoms(use_true_random=False))
@examples(50)
def test_one_more_actor_takes_nobody_apart_whom_one_address_holds(graph, chance):
    """A hub that is one person's stops adding. Whoever comes after those it links changes nothing for them, whatever they carry."""
    rules = {"email": RULES["email"], "anonymous_id": IdentifierRule(priority=2, limit=1000, max_actors=1000)}
    graph = {name: (seen, " ".join(values_of(words, "email"))) for name, (seen, words) in graph.items()}
    graph = {name: (seen, f"{words} anonymous_id:{name}") for name, (seen, words) in graph.items()}
    before = profiles(graph, rules)
    words = chance.choice([words for _, words in graph.values()])
    after = profiles(graph | {"newcomer": (99, f"{words} anonymous_id:newcomer")}, rules)
    assert {name: after[name] for name in graph} == before


def on_arrival(arrivals: list[tuple[str, str]]) -> frozenset[frozenset[str]]:
    """The tempting other way: the limits are checked against what has arrived so far, and nothing is taken back."""
    members: dict[str, list[str]] = {}
    profile: dict[str, frozenset[str]] = {}
    bundle = dict(arrivals)
    for actor, words in arrivals:
        profile[actor] = frozenset([actor])
        for word in sorted(words.split(), key=lambda w: RULES.get(w.split(":")[0], FOREVER).priority):
            rule = RULES.get(word.split(":")[0])
            members.setdefault(word, []).append(actor)
            if rule is None or len(members[word]) > rule.max_actors:
                continue
            together = frozenset().union(*(profile[a] for a in members[word]))
            held = " ".join(bundle[a] for a in together)
            if all(len(values_of(held, kind)) <= each.limit for kind, each in RULES.items()):
                profile.update(dict.fromkeys(together, together))
    return frozenset(profile.values())


def test_limits_checked_on_arrival_depend_on_the_order_and_solve_does_not():
    """The properties above have teeth: the arrival-time variant fails on most of these graphs, `solve` on none."""
    chance = random.Random(7)
    differing = {"on arrival": 0, "solve": 0}
    for _ in range(100):
        kinds = {"user_id": 4, "email": 5, "device_id": 4, "anonymous_id": 6}
        graph = {
            f"a{i}": (
                chance.randrange(5),
                " ".join(f"{k}:{chance.randint(1, n)}" for k, n in kinds.items() if chance.random() < 0.6),
            )
            for i in range(14)
        }
        arrivals = [(actor, words) for actor, (_, words) in graph.items()]
        again = chance.sample(arrivals, len(arrivals))
        differing["on arrival"] += on_arrival(arrivals) != on_arrival(again)
        differing["solve"] += profiles(graph) != profiles({actor: graph[actor] for actor, _ in again})
    assert differing["solve"] == 0
    assert differing["on arrival"] > 50

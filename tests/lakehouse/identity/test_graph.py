import numpy as np
import pandas as pd

from lakehouse.identity.graph import build, components, smallest
from tests.lakehouse.identity.identity_graphs import actors_of, at, edges_of

GRAPH = {
    "zoe": (3, "email:x device_id:d"),
    "ann": (1, "email:x"),
    "bob": (2, "device_id:d"),
    "cid": (2, "device_id:e"),
}


def built(graph=GRAPH):
    return build(edges_of(graph), actors_of(graph))


def test_actor_codes_follow_age_and_then_actor_ids():
    graph = built()
    assert graph.actor_ids.tolist() == ["ann", "bob", "cid", "zoe"]
    assert graph.first_seen_at.tolist() == [pd.Timestamp(at(minute)) for minute in (1, 2, 2, 3)]
    graph = built(GRAPH | {"zoe": (0, "email:x device_id:d")})
    assert graph.actor_ids.tolist() == ["zoe", "ann", "bob", "cid"]
    assert graph.actor_ids.take(graph.by_id).tolist() == ["ann", "bob", "cid", "zoe"]


def test_actor_ids_are_ordered_by_code_point_as_spark_orders_them():
    assert built({"b": (1, ""), "É": (1, ""), "B": (1, ""), "1": (1, "")}).actor_ids.tolist() == ["1", "B", "b", "É"]


def test_edges_are_distinct_and_sorted_by_identifier():
    edges = edges_of(GRAPH)
    graph = build(pd.concat([edges, edges]), actors_of(GRAPH))
    names = [(graph.types[kind], graph.tokens[token]) for kind, token in zip(graph.type, graph.token, strict=True)]
    carriers = {
        name: graph.actor_ids[graph.actor[start:end]].tolist()
        for name, start, end in zip(names, graph.start[:-1], graph.start[1:], strict=True)
    }
    assert carriers == {("email", "x"): ["ann", "zoe"], ("device_id", "d"): ["bob", "zoe"], ("device_id", "e"): ["cid"]}
    assert sorted(graph.degree) == [1, 2, 2]


def test_components_go_through_the_oldest_of_an_identifier_only_as_many_as_it_links():
    graph = built()
    ann, bob, cid, zoe = components(graph, graph.degree)
    assert ann == bob == zoe != cid
    is_email = np.array([graph.types[kind] == "email" for kind in graph.type])
    ann, bob, cid, zoe = components(graph, np.where(is_email, 2, 0))
    assert ann == zoe
    assert len({ann, bob, cid}) == 3
    ann, bob, cid, zoe = components(graph, np.where(is_email, 1, 2))
    assert bob == zoe
    assert len({ann, bob, cid}) == 3


def test_smallest_takes_the_default_where_a_group_has_no_value():
    assert smallest(np.array([0, 2, 0]), np.array([5, 4, 3]), 3, 9).tolist() == [3, 9, 4]

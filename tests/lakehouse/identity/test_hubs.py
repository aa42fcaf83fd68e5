"""Whom an identifier still links that too many carry. Against a plain oracle: test_solve_properties.py; streamed: test_identity_step.py."""

import pytest

from lakehouse.config import IdentifierRule
from lakehouse.identity.graph import build
from lakehouse.identity.hubs import are_many_people, over_cap, spans
from lakehouse.identity.solve import solve
from tests.lakehouse.identity.identity_graphs import RULES, actors_of, edges_of, profiles

VISITS = {f"visit{n}": (n, f"email:ann anonymous_id:{n}") for n in range(5)}


def hubs(graph, rules=RULES):
    return over_cap(edges_of(graph), actors_of(graph), rules)


def test_an_address_over_its_cap_keeps_its_oldest_and_a_kiosk_nobody():
    assert hubs(VISITS) == {("email", "ann"): "visit2"}
    assert profiles(VISITS) == dict.fromkeys(VISITS, "visit0") | {"visit3": "visit3", "visit4": "visit4"}
    assert hubs({name: (n, f"device_id:kiosk anonymous_id:{n}") for name, (n, _) in VISITS.items()}) == {
        ("device_id", "kiosk"): None
    }


def test_a_late_event_that_is_older_takes_the_place_of_the_youngest():
    late = VISITS | {"late": (1, "email:ann")}
    assert profiles(late) == dict.fromkeys(["visit0", "visit1", "late"], "visit0") | {
        name: name for name in ("visit2", "visit3", "visit4")
    }


@pytest.mark.parametrize(("people", "expected"), [(1, "visit2"), (2, None)])
def test_an_address_whose_oldest_hold_two_logins_is_nobodys(people, expected):
    graph = {name: (n, f"{words} user_id:{min(n, people - 1)}") for name, (n, words) in VISITS.items()}
    assert hubs(graph) == {("email", "ann"): expected}


def test_logins_of_those_it_does_not_link_say_nothing():
    graph = VISITS | {"visit3": (3, "email:ann user_id:1"), "visit4": (4, "email:ann user_id:2")}
    assert hubs(graph) == {("email", "ann"): "visit2"}


def test_a_cap_of_one_links_nobody():
    rules = {"email": IdentifierRule(priority=1, limit=5, max_actors=1, keeps_oldest=True)}
    assert hubs(VISITS, rules)["email", "ann"] is None
    assert set(profiles(VISITS, rules).values()) == set(VISITS)


def test_of_a_part_of_the_graph_it_is_told_whom_a_hub_links():
    part = {name: VISITS[name] for name in ("visit0", "visit1", "visit2", "visit4")}
    graph = build(edges_of(part), actors_of(part))
    email = graph.types.index("email")
    for told, linked in (
        ({("email", "ann"): "visit2"}, 3),
        ({("email", "ann"): "gone"}, 0),
        ({("email", "ann"): None}, 0),
    ):
        assert spans(graph, RULES, told)[graph.type == email].tolist() == [linked]
        found = solve(edges_of(part), actors_of(part), RULES, hubs=told)["profile_id"].tolist()
        assert found == ["visit0"] * linked + list(part)[linked:]


def test_many_people_are_more_values_of_a_persons_own_type_than_its_limit():
    assert not are_many_people(["user_id", "email", "email", *["device_id"] * 9], RULES)
    assert are_many_people(["user_id", "user_id"], RULES)
    assert are_many_people(["email"] * 3, RULES)

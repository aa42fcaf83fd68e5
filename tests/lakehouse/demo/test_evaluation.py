from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.demo.evaluation import identifiers, pair_scores
from lakehouse.demo.truth import IDENTIFIER_TYPES, Bundle, Truth


def bundle(**values: str) -> Bundle:
    return tuple(values.get(name) for name in IDENTIFIER_TYPES)  # type: ignore[return-value]


def world(*rows: tuple[str, str, Bundle]) -> Truth:
    """(message_id, person_id, bundle) as a truth."""
    truth = Truth(seed=0)
    for message_id, person, carried in rows:
        truth.behaviours[person] = "bot" if person.startswith("crawler") else "loyal"
        truth.add_message(message_id, person, carried, 0)
    return truth


ANN_AND_BOB = world(
    ("m1", "ann", bundle(anonymous_id="a1")),
    ("m2", "ann", bundle(anonymous_id="a1", user_id="ann")),
    ("m3", "ann", bundle(anonymous_id="a2")),
    ("m4", "bob", bundle(anonymous_id="b1")),
    ("m5", "bob", bundle(anonymous_id="b1", device_id="tablet")),
)


def test_a_perfect_answer_on_what_is_reachable_scores_one_but_recalls_less() -> None:
    scores = pair_scores(ANN_AND_BOB, {"m1": "P", "m2": "P", "m3": "Q", "m4": "R", "m5": "R"})
    assert (scores.precision, scores.reachable_recall) == (1.0, 1.0)
    assert scores.recall == 2 / 4  # ann has three pairs, one of them reachable; bob has one
    assert (scores.profile_pairs, scores.person_pairs, scores.reachable_pairs) == (2, 4, 2)


def test_two_people_in_one_profile_cost_precision() -> None:
    scores = pair_scores(ANN_AND_BOB, dict.fromkeys(("m1", "m2", "m3", "m4", "m5"), "P"))
    assert scores.precision == 4 / 10
    assert scores.recall == scores.reachable_recall == 1.0


def test_a_split_person_costs_recall_of_reachable_pairs() -> None:
    scores = pair_scores(ANN_AND_BOB, {"m1": "P", "m2": "Q", "m3": "S", "m4": "R", "m5": "R"})
    assert scores.reachable_recall == 1 / 2


def test_an_identifier_of_two_people_makes_no_pair_reachable() -> None:
    truth = world(
        ("m1", "ann", bundle(device_id="tablet", anonymous_id="a1")),
        ("m2", "ann", bundle(device_id="tablet", anonymous_id="a2")),
        ("m3", "bob", bundle(device_id="tablet", anonymous_id="b1")),
    )
    assert pair_scores(truth, {}).reachable_pairs == 0


def test_a_bundle_two_people_carry_counts_for_each_and_costs_precision() -> None:
    truth = world(("m1", "ann", bundle(device_id="kiosk")), ("m2", "bob", bundle(device_id="kiosk")))
    scores = pair_scores(truth, {"m1": "P", "m2": "P"})
    assert (scores.units, scores.profile_pairs, scores.precision) == (2, 1, 0.0)


def test_bots_are_left_out_and_a_unit_without_profile_stands_alone() -> None:
    truth = world(
        ("m1", "ann", bundle(user_id="ann")),
        ("m2", "ann", bundle(user_id="ann", anonymous_id="a1")),
        ("m3", "crawler", bundle(anonymous_id="c1")),
    )
    scores = pair_scores(truth, {"m1": "P", "m3": "P"})
    assert (scores.units, scores.unassigned, scores.reachable_recall, scores.precision) == (2, 1, 0.0, 1.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("xyz"),
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["t", "u", None]),
            st.integers(0, 3),
        ),
        max_size=12,
    )
)
def test_counting_by_tables_equals_counting_pair_by_pair(rows: list[tuple[str, str, str | None, int]]) -> None:
    truth = Truth(seed=0)
    for n, (person, cookie, device, _) in enumerate(rows):
        truth.behaviours[person] = "loyal"
        truth.add_message(f"m{n}", person, (None, None, None, None, device, cookie), 0)
    assignment = {f"m{n}": f"P{profile}" for n, (*_, profile) in enumerate(rows)}
    scores = pair_scores(truth, assignment)
    first = {unit: assignment[message] for message, unit in reversed(truth.unit_of.items())}
    owners: dict[tuple[str, str], set[str]] = {}
    for unit in truth.units:
        for identifier in identifiers(unit):
            owners.setdefault(identifier, set()).add(unit.person_id)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(truth.units)))
    for n, unit in enumerate(truth.units):
        graph.add_edges_from((n, identifier) for identifier in identifiers(unit) if len(owners[identifier]) == 1)
    pairs = list(combinations(range(len(truth.units)), 2))
    same = [(a, b) for a, b in pairs if first[a] == first[b]]
    reachable = [(a, b) for a, b in pairs if nx.has_path(graph, a, b)]
    right = [(a, b) for a, b in same if truth.units[a].person_id == truth.units[b].person_id]
    assert scores.precision == pytest.approx(len(right) / len(same) if same else 1.0)
    assert scores.reachable_pairs == len(reachable)
    reached = [pair for pair in reachable if pair in set(same)]
    assert scores.reachable_recall == pytest.approx(len(reached) / len(reachable) if reachable else 1.0)

import dataclasses
import random
from xml.etree import ElementTree

import pytest

from lakehouse.demo.report.identity_examples import GraphActor, GraphEdge, GraphExample
from lakehouse.demo.report.identity_graph import MOST_IDENTIFIERS, boxes, draw, identifier_order, role
from tests.lakehouse.demo.report.some_facts import SHARED

PROFILES = {"ann-phone": "ann-phone", "ann-tv": "ann-phone", "bob-tv": "bob-tv"}


def test_an_identifier_on_two_actors_of_one_profile_links_and_on_two_profiles_does_not() -> None:
    assert role(("user_id", "a11a11"), SHARED.edges, PROFILES) == "linking"
    assert role(("device_id", "700700"), SHARED.edges, PROFILES) == "between"
    assert role(("user_id", "b0bb0b"), SHARED.edges, PROFILES) == "single"


def test_profiles_and_actors_stand_oldest_first_in_frames_that_do_not_touch() -> None:
    ann, bob = boxes(SHARED.actors)
    assert (ann.profile, list(ann.actors)) == ("ann-phone", ["ann-phone", "ann-tv"])
    assert (bob.profile, list(bob.actors)) == ("bob-tv", ["bob-tv"])
    assert ann.top + ann.height < bob.top
    for frame in (ann, bob):
        assert all(frame.top < middle < frame.top + frame.height for middle in frame.actors.values())


def test_an_identifier_stands_at_the_mean_height_of_its_actors() -> None:
    heights = {"ann-phone": 10.0, "ann-tv": 40.0, "bob-tv": 90.0}
    assert identifier_order(SHARED.edges, heights) == [
        ("user_id", "a11a11"),
        ("device_id", "700700"),
        ("user_id", "b0bb0b"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_rows_arrive_in_does_not_change_the_drawing(seed: int) -> None:
    actors, edges = list(SHARED.actors), list(SHARED.edges)
    random.Random(seed).shuffle(actors)
    random.Random(seed + 100).shuffle(edges)
    assert draw("g", "G", dataclasses.replace(SHARED, actors=actors, edges=edges)) == draw("g", "G", SHARED)


def test_a_drawing_shows_every_actor_and_edge_and_marks_the_oldest() -> None:
    root = ElementTree.fromstring(draw("g", "G", SHARED))
    assert [e.attrib["class"] for e in root.iter("circle")] == ["actor oldest", "actor", "actor oldest"]
    lines = sorted(e.attrib["class"] for e in root.iter("path"))
    assert lines == ["edge between", "edge between", "edge linking", "edge linking", "edge single"]
    assert {"device_id", "user_id", "700700", "a11a11"} <= {e.text for e in root.iter("text")}


def test_of_too_many_identifiers_those_on_most_actors_are_drawn() -> None:
    actors = [GraphActor(actor=f"a{i}", profile="a0", first_seen=i) for i in range(2)]
    alone = [GraphEdge(actor="a0", type="anonymous_id", digest=f"{i:06}") for i in range(MOST_IDENTIFIERS + 10)]
    both = [GraphEdge(actor=a.actor, type="user_id", digest="ffffff") for a in actors]
    example = GraphExample(
        kind="person", component="a0", actors=actors, edges=[*alone, *both], component_actors=2, component_profiles=1
    )
    root = ElementTree.fromstring(draw("g", "G", example))
    drawn = [e for e in root.iter("rect") if e.attrib["class"].startswith("pill")]
    assert len(drawn) == MOST_IDENTIFIERS
    assert "ffffff" in {e.text for e in root.iter("text")}


def test_nothing_is_drawn_outside_the_drawing() -> None:
    root = ElementTree.fromstring(draw("g", "G", SHARED))
    height = float(root.attrib["viewBox"].split()[3])
    for e in root.iter("rect"):
        assert float(e.attrib["y"]) >= 0
        assert float(e.attrib["y"]) + float(e.attrib["height"]) <= height

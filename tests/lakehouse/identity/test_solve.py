import re

import pandas as pd
import pytest

from lakehouse.config import IdentifierRule
from lakehouse.errors import ContractError
from lakehouse.identity.hubs import over_cap
from lakehouse.identity.solve import solve
from tests.lakehouse.identity.identity_graphs import FOREVER, RULES, START, actors_of, edges_of, profiles, solved


def test_anonymous_then_login_then_second_device_is_one_profile():
    graph = {
        "browse": (1, "anonymous_id:c1 device_id:laptop"),
        "login": (2, "anonymous_id:c1 device_id:laptop user_id:ann"),
        "phone": (3, "anonymous_id:c2 device_id:phone user_id:ann"),
    }
    answer = solved(graph)
    assert answer["profile_id"].to_dict() == {"browse": "browse", "login": "browse", "phone": "browse"}
    assert answer["cause"].to_dict() == {"browse": None, "login": "user_id", "phone": "user_id"}


def test_alice_and_bob_who_share_a_phone_stay_two_people():
    graph = {
        "alice": (1, "user_id:alice device_id:phone"),
        "bob": (2, "user_id:bob device_id:phone"),
    }
    answer = solved(graph)
    assert answer["profile_id"].to_dict() == {"alice": "alice", "bob": "bob"}
    assert answer["component_id"].to_dict() == {"alice": "alice", "bob": "alice"}
    assert answer["cause"].to_dict() == {"alice": None, "bob": None}


def test_anonymous_events_on_a_household_device_with_two_logins_belong_to_nobody():
    graph = {
        "alice": (1, "user_id:alice device_id:tv"),
        "bob": (2, "user_id:bob device_id:tv"),
        "evening": (3, "anonymous_id:c1 device_id:tv"),
        "night": (4, "anonymous_id:c1 device_id:tv email:night@example.com"),
    }
    assert profiles(graph) == {"alice": "alice", "bob": "bob", "evening": "evening", "night": "evening"}


def test_a_device_at_its_cap_links_and_one_over_its_cap_does_not():
    kiosk = {f"guest{i}": (i, "device_id:kiosk") for i in range(4)}
    assert set(profiles(kiosk).values()) == {"guest0"}
    kiosk["guest4"] = (9, "device_id:kiosk")
    answer = solved(kiosk)
    assert answer["profile_id"].to_dict() == {name: name for name in kiosk}
    assert answer["component_id"].to_dict() == {name: name for name in kiosk}


def test_an_email_shared_by_two_user_ids_links_nobody():
    graph = {
        "alice": (1, "user_id:alice email:family@example.com"),
        "bob": (2, "user_id:bob email:family@example.com"),
        "newsletter": (3, "email:family@example.com"),
    }
    assert profiles(graph) == {"alice": "alice", "bob": "bob", "newsletter": "newsletter"}


def test_the_stronger_identifier_decides_which_login_an_anonymous_actor_belongs_to():
    graph = {
        "alice": (1, "user_id:alice device_id:tablet"),
        "bob": (2, "user_id:bob email:bob@example.com"),
        "visitor": (0, "device_id:tablet email:bob@example.com"),
    }
    assert profiles(graph) == {"alice": "alice", "bob": "visitor", "visitor": "visitor"}


def test_among_identifiers_of_one_type_the_older_goes_first():
    rules = {"device_id": FOREVER, "user_id": RULES["user_id"]}
    graph = {
        "alice": (5, "user_id:alice device_id:z"),
        "bob": (6, "user_id:bob device_id:a"),
        "visitor": (7, "device_id:a device_id:z"),
    }
    assert profiles(graph, rules) == {"alice": "alice", "bob": "bob", "visitor": "alice"}
    graph["bob"] = (4, "user_id:bob device_id:a")
    assert profiles(graph, rules) == {"alice": "alice", "bob": "bob", "visitor": "bob"}
    graph["bob"] = (5, "user_id:bob device_id:a")  # equally old: the smaller token
    assert profiles(graph, rules) == {"alice": "alice", "bob": "bob", "visitor": "bob"}


def test_the_older_id_survives_and_the_smaller_one_of_two_equally_old():
    assert set(profiles({"a": (2, "email:x"), "b": (1, "email:x")}).values()) == {"b"}
    assert set(profiles({"b": (1, "email:x"), "a": (1, "email:x")}).values()) == {"a"}


@pytest.mark.parametrize(
    ("limit", "expected"), [(2, {"a": "a", "b": "a", "c": "a"}), (1, {"a": "a", "b": "b", "c": "c"})]
)
def test_a_profile_may_hold_as_many_values_as_the_limit_says_and_no_more(limit, expected):
    rules = {"user_id": FOREVER, "email": IdentifierRule(priority=2, limit=limit, max_actors=9)}
    assert (
        profiles({"a": (1, "user_id:1 email:x"), "b": (2, "user_id:1 email:y"), "c": (3, "user_id:1")}, rules)
        == expected
    )


def test_values_that_link_nobody_still_count_against_the_limit():
    kiosk = {f"guest{i}": (i, "user_id:shared_login") for i in range(7)}
    graph = kiosk | {"guest0": (0, "user_id:shared_login email:x"), "ann": (9, "user_id:ann email:x")}
    rules = {**RULES, "user_id": IdentifierRule(priority=1, limit=1, max_actors=6)}
    assert profiles(graph, rules) == {name: name for name in graph}


def test_an_actor_of_two_logins_stays_alone():
    assert profiles({"a": (1, "user_id:1 user_id:2 email:x"), "b": (2, "email:x")}) == {"a": "a", "b": "b"}


def test_the_third_address_of_a_customer_is_theirs_and_brings_nobody_else():
    ann = {f"ann{i}": (i, f"user_id:ann email:{i}") for i in range(3)}
    friends = {f"friend{i}": (9, f"email:{i}") for i in range(3)}
    assert profiles(ann | friends) == dict.fromkeys([*ann, "friend0", "friend1"], "ann0") | {"friend2": "friend2"}


def test_a_cookie_of_three_addresses_keeps_the_two_it_had_first():
    graph = {name: (i, f"anonymous_id:c email:{name}") for i, name in enumerate("abc")}
    assert profiles(graph) == {"a": "a", "b": "a", "c": "c"}


def test_a_type_without_a_rule_links_nobody_and_makes_no_component():
    answer = solved({"a": (1, "fingerprint:x"), "b": (2, "fingerprint:x")})
    assert answer["profile_id"].to_dict() == {"a": "a", "b": "b"}
    assert answer["component_id"].to_dict() == {"a": "a", "b": "b"}


def test_a_component_is_named_after_its_oldest_actor():
    answer = solved({"a": (3, "device_id:tv user_id:1"), "b": (1, "device_id:tv user_id:2")})
    assert answer["component_id"].to_dict() == {"a": "b", "b": "b"}


def test_a_hub_links_nobody_though_few_of_its_carriers_are_given():
    graph = {"a": (1, "device_id:kiosk email:x"), "b": (2, "device_id:kiosk"), "c": (3, "email:x")}
    answer = solve(
        edges_of(graph), actors_of(graph), RULES, hubs={("device_id", "kiosk"): None, ("email", "kiosk"): None}
    )
    assert answer["component_id"].tolist() == ["a", "b", "a"]
    assert answer["profile_id"].tolist() == ["a", "b", "a"]


def test_how_old_a_hub_is_to_a_component_its_actors_there_say_so_that_those_alone_come_out_as_all_together():
    cookies = {
        "a": (3, "email:x anonymous_id:hub"),
        "b": (2, "email:x anonymous_id:2"),
        "c": (1, "email:x anonymous_id:3"),
    }
    alone = {**cookies, "k": (5, "anonymous_id:2")}  # k's cookie is one of the two that count
    graph = {**alone, **{f"guest{n}": (0, "anonymous_id:hub") for n in range(3)}}
    hubs = over_cap(edges_of(graph), actors_of(graph), RULES)
    assert hubs == {("anonymous_id", "hub"): None}
    expected = solve(edges_of(alone), actors_of(alone), RULES, hubs=hubs)
    assert expected["profile_id"].tolist() == ["c"] * 4
    together = solve(edges_of(graph), actors_of(graph), RULES)
    assert together[together["actor_id"].isin(alone)].reset_index(drop=True).equals(expected)


def test_what_is_over_its_cap_is_a_hub():
    kiosk = {f"guest{i}": (i, f"device_id:kiosk device_id:own{i} fingerprint:x") for i in range(5)}
    assert over_cap(edges_of(kiosk), actors_of(kiosk), RULES) == {
        ("device_id", "kiosk"): None,
        ("fingerprint", "x"): None,
    }


SWARM = {
    f"bot{i}": (i, f"user_id:u{i // 2} email:e{i // 3} anonymous_id:{i // 5} anonymous_id:next{(i + 1) // 5}")
    for i in range(10)
}
SWARM_RULES = {name: IdentifierRule(priority=i, limit=99, max_actors=99) for i, name in enumerate(RULES, start=1)}


@pytest.mark.parametrize(
    ("most", "parts"),
    [
        (10, [10]),  # as large as it may be
        (9, [6, 4]),  # without anonymous_id
        (5, [2, 2, 2, 2, 2]),  # without email, too
        (1, [2, 2, 2, 2, 2]),  # the last type goes on to link
    ],
)
def test_in_a_component_that_is_too_large_weak_types_stop_linking_until_its_parts_are_not(most, parts, caplog):
    other = {"ann": (1, "anonymous_id:c"), "zoe": (2, "anonymous_id:c")}
    graph = SWARM | other
    answer = solve(edges_of(graph), actors_of(graph), SWARM_RULES, max_component_actors=most).set_index("actor_id")
    swarm = answer.loc[list(SWARM)]
    assert set(swarm["component_id"]) == {"bot0"}
    assert sorted(swarm["profile_id"].value_counts(), reverse=True) == parts
    assert set(answer.loc[list(other), "profile_id"]) == {"ann"}
    assert ("anonymous_id links nobody" in caplog.text) == (most < 10)


def test_equal_tokens_of_two_types_are_two_identifiers():
    assert profiles({"a": (1, "device_id:1"), "b": (2, "anonymous_id:1")}) == {"a": "a", "b": "b"}


def test_an_actor_without_identifiers_is_a_profile_of_its_own():
    answer = solved({"a": (1, "")})
    assert answer.reset_index().to_dict("records") == [
        {
            "actor_id": "a",
            "profile_id": "a",
            "component_id": "a",
            "cause": None,
            "first_seen_at": pd.Timestamp(START) + pd.Timedelta(minutes=1),
        }
    ]


def test_no_actors_give_no_rows():
    answer = solve(edges_of({}), actors_of({}), RULES)
    assert list(answer.columns) == ["actor_id", "profile_id", "component_id", "cause", "first_seen_at"]
    assert len(answer) == 0


def test_timestamps_keep_their_zone():
    actors = actors_of({"a": (1, "")})
    actors["first_seen_at"] = actors["first_seen_at"].dt.tz_localize("UTC")
    assert str(solve(edges_of({}), actors, RULES)["first_seen_at"].dtype) == "datetime64[us, UTC]"


def test_an_edge_of_an_unknown_actor_is_refused_by_name():
    with pytest.raises(ContractError, match="'ghost'"):
        solve(edges_of({"ghost": (1, "email:x")}), actors_of({"a": (1, "")}), RULES)


@pytest.mark.parametrize("column", ["actor_id", "identifier_type", "identifier_token"])
def test_a_null_in_an_edge_is_refused_by_column(column):
    edges = edges_of({"a": (1, "email:x")})
    edges.loc[0, column] = None
    with pytest.raises(ContractError, match=re.escape(f"edges.{column}")):
        solve(edges, actors_of({"a": (1, "")}), RULES)


def test_a_first_seen_at_that_is_no_timestamp_is_refused():
    with pytest.raises(ContractError, match="first_seen_at"):
        solve(edges_of({}), pd.DataFrame({"actor_id": ["a"], "first_seen_at": [17]}), RULES)

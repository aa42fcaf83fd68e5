"""Overrides as `solve` sees them: literal cases, and random graphs against the words of the module's docstring."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from lakehouse.config import IdentifierRule
from lakehouse.errors import ContractError
from lakehouse.identity.hubs import over_cap
from lakehouse.identity.overrides import IDENTIFIER, NamedIdentifier, Override, apply, around, siblings
from lakehouse.identity.solve import solve
from tests.lakehouse.identity.identity_graphs import (
    FOREVER,
    RULES,
    Graph,
    actors_of,
    at,
    edges_of,
    examples,
    graphs,
    slow_solve,
    streams,
    whole,
)

NOBODY = IdentifierRule(priority=10, limit=1, max_actors=0)
MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def override(action: str, *words: str, minute: int = 0) -> Override:
    identifiers = tuple(sorted(identifier(word) for word in words))
    asked = MORNING + timedelta(minutes=minute)
    return Override(action=action, identifiers=identifiers, created_by="ann", reason="she said so", created_at=asked)


def identifier(word: str) -> NamedIdentifier:
    kind, token = word.split(":")
    return NamedIdentifier(kind, token)


def undone(made: Override) -> Override:
    return dataclasses.replace(made, undone_by="bob", undone_reason="an error", undone_at=MORNING + timedelta(days=1))


def frame(*words: str) -> pd.DataFrame:
    return pd.DataFrame([identifier(word) for word in words], columns=IDENTIFIER, dtype="str")


def solved(graph: Graph, *overrides: Override) -> pd.DataFrame:
    edges, rules = apply(edges_of(graph), RULES, overrides)
    return solve(edges, actors_of(graph), rules)


def profiles(graph: Graph, *overrides: Override) -> dict[str, str]:
    answer = solved(graph, *overrides)
    return dict(zip(answer["actor_id"], answer["profile_id"], strict=True))


TILL = {
    "web": (1, "anonymous_id:cookie user_id:ann"),
    "app": (2, "user_id:ann device_id:phone"),
    "till": (3, "device_id:card"),
    "lend": (4, "device_id:phone email:mum"),
}


def test_without_an_override_all_of_it_is_one_but_the_till() -> None:
    assert profiles(TILL) == {"web": "web", "app": "web", "lend": "web", "till": "till"}


def test_a_link_joins_all_who_carry_either() -> None:
    answer = solved(TILL, override("link", "user_id:ann", "device_id:card")).set_index("actor_id")
    assert set(answer["profile_id"]) == {"web"}
    assert answer.loc["till", "cause"] == f"link:{override('link', 'user_id:ann', 'device_id:card').override_id}"


def test_a_link_joins_however_many_carry_it() -> None:
    kiosk = {f"a{i}": (i, "device_id:kiosk") for i in range(RULES["device_id"].max_actors + 1)}
    assert len(set(profiles(kiosk).values())) == len(kiosk)
    assert set(profiles(kiosk, override("link", "device_id:kiosk", "user_id:nobody")).values()) == {"a0"}


def test_a_link_that_would_join_two_user_ids_joins_nobody() -> None:
    two = {"a": (1, "user_id:ann"), "b": (2, "user_id:bob device_id:x"), "c": (3, "device_id:y")}
    made = override("link", "user_id:ann", "device_id:x")
    assert profiles(two, made) == {"a": "a", "b": "b", "c": "c"}


def test_an_unlinked_pair_comes_apart_at_the_weaker_tie() -> None:
    assert profiles(TILL, override("unlink", "user_id:ann", "email:mum")) == {
        "web": "web",
        "app": "web",
        "lend": "lend",
        "till": "till",
    }


def test_who_carries_an_unlinked_pair_keeps_the_stronger_of_it() -> None:
    both = {"both": (1, "user_id:ann email:mum"), "mum": (2, "email:mum"), "ann": (3, "user_id:ann")}
    both["mum too"] = (4, "email:mum")
    assert set(profiles(both).values()) == {"both"}
    assert profiles(both, override("unlink", "user_id:ann", "email:mum")) == {
        "both": "both",
        "ann": "both",
        "mum": "mum",
        "mum too": "mum",
    }


@pytest.mark.parametrize(
    ("pair", "weaker"),
    [
        (("email:z", "user_id:a"), "email:z"),
        (("email:a", "email:b"), "email:b"),
        (("fax:1", "tel:1"), "tel:1"),  # types without a rule are the weakest
        (("fax:1", "anonymous_id:1"), "fax:1"),
    ],
)
def test_the_weaker_is_by_priority_then_type_then_token(pair: tuple[str, str], weaker: str) -> None:
    edges, _ = apply(edges_of({"x": (1, " ".join(pair))}), RULES, [override("unlink", *pair)])
    assert set(map(":".join, edges[IDENTIFIER].itertuples(index=False))) == set(pair) - {weaker}


def test_a_blocked_identifier_neither_links_nor_is_held() -> None:
    two = {"a": (1, "user_id:ann device_id:x"), "b": (2, "user_id:bob device_id:x")}
    assert profiles(two, override("block", "user_id:bob")) == {"a": "a", "b": "a"}


def test_virtual_edges_keep_further_columns_and_say_that_they_are_overrides() -> None:
    edges = edges_of(TILL).assign(kind="probabilistic", weight=7.5, batch=[1, 1, 2, 2, 3, 4, 4])
    out, rules = apply(edges, RULES, [override("link", "user_id:ann", "device_id:card")])
    name = f"link:{override('link', 'user_id:ann', 'device_id:card').override_id}"
    assert_frame_equal(out.iloc[: len(edges)], edges)
    assert list(out.iloc[len(edges) :].itertuples(index=False, name=None)) == [
        ("web", name, "1", "override", 0.0, 1),
        ("app", name, "1", "override", 0.0, 2),
        ("till", name, "1", "override", 0.0, 3),
    ]
    assert set(rules) - set(RULES) == {name}


def test_what_no_override_names_comes_back_untouched() -> None:
    edges = edges_of(TILL)
    for none in ([], [override("block", "user_id:zoe")], [undone(override("block", "user_id:ann"))]):
        same_edges, same_rules = apply(edges, RULES, none)
        assert same_edges is edges
        assert same_rules is RULES


def test_an_empty_graph_stays_empty() -> None:
    edges, rules = apply(edges_of({}), RULES, [override("block", "user_id:ann")])
    assert edges.empty
    assert rules == RULES


def test_siblings_are_both_sides_of_active_pairs() -> None:
    pairs = [
        override("link", "user_id:ann", "email:a"),
        override("unlink", "user_id:ann", "device_id:x"),
        override("block", "user_id:ann"),
        undone(override("link", "user_id:ann", "email:gone")),
        override("link", "user_id:bob", "email:b"),
    ]
    assert_frame_equal(siblings(frame("user_id:ann"), pairs), frame("device_id:x", "email:a", "user_id:ann"))
    assert_frame_equal(siblings(frame("email:a", "email:zzz"), pairs), frame("email:a", "user_id:ann"))
    assert siblings(frame("user_id:zoe"), pairs).empty


def changed(before: list[Override], after: list[Override]) -> list[Override]:
    """The overrides that are active in one of the two only."""
    was, now = ({o.override_id: o for o in overrides if o.is_active} for overrides in (before, after))
    return [(was | now)[key] for key in was.keys() ^ now.keys()]


def test_touched_are_the_identifiers_of_overrides_that_came_or_went() -> None:
    stays, comes = override("link", "user_id:ann", "email:a"), override("block", "email:a")
    goes = override("unlink", "user_id:bob", "device_id:x")
    assert_frame_equal(
        around(changed([stays, goes], [stays, comes, undone(goes)]), [stays, comes, undone(goes)]),
        frame("device_id:x", "email:a", "user_id:ann", "user_id:bob"),  # ann: the sibling of email:a
    )
    assert around(changed([stays, undone(goes)], [stays]), [stays]).empty


def test_the_id_is_of_action_identifiers_and_time_in_any_zone() -> None:
    made = override("link", "user_id:ann", "email:a")
    shifted = dataclasses.replace(made, created_at=made.created_at.astimezone(), created_by="zoe", reason="other")
    assert made.override_id == shifted.override_id
    others = [override("unlink", "user_id:ann", "email:a"), override("link", "user_id:ann", "email:a", minute=1)]
    assert len({made.override_id, *(other.override_id for other in others)}) == 3


@pytest.mark.parametrize(
    ("action", "words", "said"),
    [
        ("join", ["user_id:a", "email:b"], "unknown action, got 'join'"),
        ("link", ["user_id:a"], "link: got 1 different identifiers, expected 2"),
        ("unlink", ["user_id:a", "user_id:a"], "unlink: got 1 different identifiers"),
        ("block", ["user_id:a", "user_id:b"], "block: got 2 different identifiers, expected 1"),
        ("block", ["email:ann@example.org"], "block email: got a blank or a raw e-mail address"),
        ("block", ["email:"], "block email: got a blank"),
    ],
)
def test_what_no_command_would_write_is_refused(action: str, words: list[str], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        override(action, *words)


@st.composite
def overruled(draw: st.DrawFn) -> tuple[Graph, list[Override]]:
    """A graph of a dozen communities, and up to two dozen overrides of few of its identifiers, so that they meet."""
    graph = draw(graphs())
    return graph, draw(overrides_for(graph))


@st.composite
def overrides_for(draw: st.DrawFn, graph: Graph) -> list[Override]:
    chance = draw(st.randoms(use_true_random=False))
    communities: dict[str, set[str]] = {}
    for _, words in graph.values():
        for word in words.split():
            communities.setdefault(word.split(".")[1], {"user_id:nobody", "email:nobody"}).add(word)
    few = chance.sample(sorted(communities), min(4, len(communities)))
    rich = [chance.sample(sorted(communities[name]), min(5, len(communities[name]))) for name in few]
    rich += [sorted({word for words in rich for word in words})] if rich else []
    bundles = [words.split() for _, words in graph.values() if len(words.split()) > 1]
    made = []
    for minute in range(draw(st.integers(0, 24))) if rich else ():
        action = chance.choice(["link", "unlink", "block", "link", "unlink"])
        words = chance.sample(chance.choice(rich), 1 if action == "block" else 2)
        if action == "unlink" and bundles and chance.random() < 0.6:
            words = chance.sample(chance.choice(bundles), 2)  # an actor carries both itself
        made.append(override(action, *words, minute=minute))
    return made


def slow_apply(graph: Graph, overrides: list[Override]) -> tuple[Graph, dict[str, IdentifierRule]]:
    """The docstring of lakehouse/identity/overrides.py word for word, actor by actor."""
    blocked = {":".join(o.identifiers[0]) for o in overrides if o.action == "block"}
    rules = dict(RULES)
    counting: dict[str, set[str]] = {}
    for actor, (_, words) in graph.items():
        carried = set(words.split()) - blocked
        counting[actor] = carried - {weaker(o) for o in overrides if o.action == "unlink" and both(o) <= carried}
    virtual: dict[str, list[str]] = {actor: [] for actor in graph}
    for override in overrides:
        first, second = (":".join(i) for i in override.identifiers) if override.action != "block" else ("", "")
        name = f"{override.action}-{override.override_id}"
        is_link = override.action == "link"
        rules[name] = dataclasses.replace(FOREVER, priority=0) if is_link else NOBODY
        for actor, words_left in counting.items():
            if first in words_left or second in words_left:
                value = "same" if override.action == "link" else "one" if first in words_left else "other"
                virtual[actor].append(f"{name}:{value}")
    changed = {
        actor: (minute, " ".join([*sorted(counting[actor]), *virtual[actor]])) for actor, (minute, _) in graph.items()
    }
    return changed, rules


def both(pair: Override) -> set[str]:
    return {":".join(identifier) for identifier in pair.identifiers}


def weaker(pair: Override) -> str:
    return ":".join(max(pair.identifiers, key=lambda i: (RULES[i.type].priority if i.type in RULES else 99, *i)))


@given(overruled())
@examples(40)
def test_apply_is_its_docstring_word_for_word(drawn: tuple[Graph, list[Override]]) -> None:
    graph, overrides = drawn
    # An override's turn among links is by age, then name: the oracle's names must sort like the virtual types.
    expected, _ = slow_solve(*slow_apply(graph, overrides))
    assert profiles(graph, *overrides) == expected


@given(overruled())
@examples(40)
def test_no_profile_holds_an_unlinked_pair(drawn: tuple[Graph, list[Override]]) -> None:
    graph, overrides = drawn
    in_force = profiles(graph, *overrides)
    for pair in (o for o in overrides if o.action == "unlink"):
        held: dict[str, set[str]] = {}
        for actor, (_, words) in graph.items():
            carried = both(pair) & set(words.split())
            held.setdefault(in_force[actor], set()).update(carried - ({weaker(pair)} if len(carried) == 2 else set()))
        blocked = {":".join(o.identifiers[0]) for o in overrides if o.action == "block"}
        assert not any(both(pair) <= words - blocked for words in held.values())


@given(graphs(), st.data())
@examples(30)
def test_a_block_is_the_graph_without_that_identifier(graph: Graph, data: st.DataObject) -> None:
    words = sorted({word for _, words in graph.values() for word in words.split()})
    blocked = set(data.draw(st.lists(st.sampled_from(words), max_size=8))) if words else set()
    without = {
        actor: (minute, " ".join(word for word in words.split() if word not in blocked))
        for actor, (minute, words) in graph.items()
    }
    made = [override("block", word) for word in blocked]
    assert_frame_equal(solved(graph, *made), solved(without))


@given(graphs(), st.data())
@examples(30)
def test_a_link_joins_all_who_carry_either_unless_a_limit_forbids(graph: Graph, data: st.DataObject) -> None:
    words = sorted({word for _, words in graph.values() for word in words.split()} | {"user_id:x", "email:x"})
    pair = data.draw(st.lists(st.sampled_from(words), min_size=2, max_size=2, unique=True))
    carriers = [actor for actor, (_, words) in graph.items() if set(pair) & set(words.split())]
    held = {word for actor in carriers for word in graph[actor][1].split()}
    fits = all(sum(word.startswith(f"{kind}:") for word in held) <= rule.limit for kind, rule in RULES.items())
    joined = profiles(graph, override("link", *pair))
    if fits:
        assert len({joined[actor] for actor in carriers}) <= 1
    else:
        assert joined == profiles(graph)


@given(overruled())
@examples(30)
def test_undone_overrides_leave_what_was_before(drawn: tuple[Graph, list[Override]]) -> None:
    graph, overrides = drawn
    kept, gone = overrides[::2], overrides[1::2]
    assert_frame_equal(solved(graph, *kept, *map(undone, gone)), solved(graph, *kept))
    assert_frame_equal(solved(graph, *map(undone, overrides)), solved(graph))


@given(overruled(), st.randoms(use_true_random=False))
@examples(30)
def test_the_order_of_overrides_and_of_edges_does_not_matter(drawn: tuple[Graph, list[Override]], chance) -> None:
    graph, overrides = drawn
    shuffled = dict(chance.sample(list(graph.items()), len(graph)))
    again = chance.sample(overrides, len(overrides))
    edges, rules = apply(pd.concat([edges_of(shuffled), edges_of(graph)], ignore_index=True), RULES, again)
    assert_frame_equal(solve(edges, actors_of(graph), rules), solved(graph, *overrides))


@given(streams(), st.data())
@examples(40)
def test_solving_again_only_what_is_touched_equals_solving_everything(stream: list[Graph], data: st.DataObject) -> None:
    """Overrides come, wait for identifiers nobody carries yet, and go, between batches of a stream."""
    overrides = data.draw(overrides_for(whole(stream)))
    chance = data.draw(st.randoms(use_true_random=False))
    active = {o.override_id: chance.random() < 0.8 for o in overrides}
    columns = ["actor_id", "profile_id", "component_id"]
    stored, before, seen = solved({})[columns], [], []
    for batch in [*stream, {}]:
        seen.append(batch)
        graph = whole(seen)
        for o in chance.sample(overrides, len(overrides) // 8):
            active[o.override_id] = not active[o.override_id]
        now = [o if active[o.override_id] else undone(o) for o in overrides]
        met = edges_of(batch)[IDENTIFIER]
        asked = pd.concat([met, siblings(met, now), around(changed(before, now), now)]).drop_duplicates()
        actors = {*edges_of(graph).merge(asked)["actor_id"], *batch}
        together = stored.loc[stored["actor_id"].isin(actors), "component_id"]
        actors |= set(stored.loc[stored["component_id"].isin(together), "actor_id"])
        again = of_part({actor: graph[actor] for actor in graph if actor in actors}, graph, now)[columns]
        rest = stored[~stored["actor_id"].isin(actors)]
        stored = pd.concat([rest, again]).sort_values("actor_id", ignore_index=True)
        assert_frame_equal(stored, of_part(graph, graph, now)[columns], check_dtype=False)
        before = now


def of_part(part: Graph, graph: Graph, overrides: list[Override]) -> pd.DataFrame:
    """A part of a graph solved, told which of its identifiers too many carry, overrides or not."""
    edges, rules = apply(edges_of(part), RULES, overrides)
    return solve(edges, actors_of(part), rules, hubs=over_cap(edges_of(graph), actors_of(graph), RULES))


def test_times_come_back_as_they_were() -> None:
    edges = edges_of(TILL).assign(first_seen_at=pd.Timestamp(at(3)))
    out, _ = apply(edges, RULES, [override("link", "user_id:ann", "device_id:card")])
    assert out["first_seen_at"].dtype == edges["first_seen_at"].dtype
    assert out["first_seen_at"].notna().all()

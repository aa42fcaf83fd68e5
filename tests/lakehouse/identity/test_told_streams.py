"""The identity step when people and a matcher speak, too: overrides asked for, likely pairs that come, change and go."""

from dataclasses import dataclass
from datetime import UTC

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity import override_store, overrides
from lakehouse.identity.hubs import over_cap
from lakehouse.identity.matches import MATCH, match_edges
from lakehouse.identity.override_requests import Undo
from lakehouse.identity.overrides import NamedIdentifier, Override
from lakehouse.identity.solve import solve
from lakehouse.identity.touched_components import EDGE_KEY, SOLVED
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_OVERRIDES
from tests.lakehouse.identity.identity_checks import assert_log_and_history_tell_the_map, assert_map_is
from tests.lakehouse.identity.identity_graphs import RULES, Graph, actors_of, at, edges_of, examples, streams, whole
from tests.lakehouse.identity.memory_lake import MemoryLake, die_after, memory_lake, take

MOST_WRITES = 10
Pairs = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Told:
    """One micro-batch: its events, what people ask for before it, the pairs it brings, and those that are none any more."""

    batch: Graph
    requests: list[Override | Undo]
    pairs: Pairs
    gone: list[tuple[str, str]]


def asked(action: str, *words: str, minute: int) -> Override:
    identifiers = tuple(sorted(NamedIdentifier(*word.split(":")) for word in words))
    return Override(
        action=action, identifiers=identifiers, created_by="ann", reason="so", created_at=at(minute).replace(tzinfo=UTC)
    )


def undo(made: Override, minute: int) -> Undo:
    return Undo(override_id=made.override_id, by="bob", reason="not so", at=at(minute).replace(tzinfo=UTC))


@st.composite
def told_streams(draw: st.DrawFn) -> list[Told]:
    batches = draw(streams())
    chance = draw(st.randoms(use_true_random=False))
    words = sorted({word for _, line in whole(batches).values() for word in line.split()})
    made: list[Override] = []
    stored: Pairs = {}
    seen: set[str] = set()
    result = []
    for number, batch in enumerate([*batches, {}]):
        requests: list[Override | Undo] = []
        for turn in range(chance.randint(0, 12) if len(words) > 1 else 0):
            minute = 100 * number + turn
            action = chance.choice(["link", "link", "unlink", "unlink", "block", "undo"])
            if action == "undo" and made:
                requests.append(undo(chance.choice(made), minute))
            elif action != "undo":
                made.append(asked(action, *chance.sample(words, overrides.ACTIONS[action]), minute=minute))
                requests.append(made[-1])
        seen |= set(batch)
        gone = [pair for pair in stored if chance.random() < 0.2]
        stored = {pair: bits for pair, bits in stored.items() if pair not in gone}
        names = sorted(seen)
        pairs: Pairs = {}
        for _ in range(chance.randint(0, 15) if names else 0):
            one = chance.choice(names)
            beside = [name for name in names if name != one and name[3:] == one[3:]]
            pair = (min(one, other), max(one, other)) if beside and (other := chance.choice(beside)) else None
            if pair is not None and pair not in gone:
                pairs[pair] = chance.choice([-3.0, -0.5, 2.0, 9.0])
        stored |= pairs
        result.append(Told(batch, requests, pairs, gone))
    return result


def pair_edges(pairs: Pairs) -> pd.DataFrame:
    rows = [(one, other, bits) for (one, other), bits in pairs.items()]
    return match_edges(
        pd.DataFrame(rows, columns=["actor_l", "actor_r", "weight"]).astype({"actor_l": "str", "actor_r": "str"})
    )


def more_of(told: Told) -> dict[str, object]:
    """The facts of the batch beside its events, as lakehouse/profiles/stitching/match_pairs.py gives them."""
    pairs = pair_edges(told.pairs)[[*EDGE_KEY, "kind", "weight"]]
    gone = pair_edges(dict.fromkeys(told.gone, 0.0))[EDGE_KEY]
    return {
        "new_edges": pd.concat([edges_of(told.batch), pairs], ignore_index=True),
        "gone_edges": gone,
        "seeds": sorted({*pairs["actor_id"], *gone["actor_id"]}),
    }


def ask_all(lake: MemoryLake, told: Told) -> None:
    for request in told.requests:
        override_store.ask(override_store.store_of(lake), request)


def play(lake: MemoryLake, step: IdentityStep, told: Told, number: int) -> None:
    """One micro-batch up to gold, after which the requests are done with."""
    take(step, told.batch, number, **more_of(told))
    step.settle()


def assert_equals_one_solve(lake: MemoryLake, stream: list[Told]) -> None:
    graph = whole([told.batch for told in stream])
    pairs: Pairs = {}
    for told in stream:
        pairs = {pair: bits for pair, bits in pairs.items() if pair not in told.gone} | told.pairs
    carried = pd.concat(
        [edges_of(graph).assign(kind="deterministic", weight=0.0), pair_edges(pairs)], ignore_index=True
    )
    in_force = [one for one in override_store.read(override_store.store_of(lake)).values() if one.is_active]
    counting, rules = overrides.apply(carried, RULES, in_force)
    least = lake.config.matching.match_probability
    expected = solve(
        counting, actors_of(graph), rules, hubs=over_cap(carried, actors_of(graph), RULES), match_probability=least
    )
    assert_map_is(lake, expected)
    stored = lake.rows(SILVER_IDENTITY_EDGES)[[*EDGE_KEY, "kind", "weight"]]
    pd.testing.assert_frame_equal(stored, carried.sort_values(EDGE_KEY, ignore_index=True)[stored.columns])
    assert_log_and_history_tell_the_map(lake)


@given(stream=told_streams(), chance=st.randoms(use_true_random=False))
@examples(25)
def test_overrides_and_pairs_streamed_with_replays_equal_one_solve_of_everything(stream, chance):
    with memory_lake() as lake:
        step = IdentityStep(lake)
        for number, told in enumerate(stream):
            ask_all(lake, told)
            play(lake, step, told, number)
            if chance.random() < 0.4:
                before = dict(lake.tables)
                step = chance.choice([step, IdentityStep(lake)])
                play(lake, step, told, number)
                assert all(rows.equals(before[name]) for name, rows in lake.tables.items())
        assert_equals_one_solve(lake, stream)


@given(stream=told_streams(), writes=st.integers(0, MOST_WRITES), data=st.data())
@examples(25)
def test_a_crash_among_overrides_and_pairs_heals_on_replay(stream, writes, data):
    crashed = data.draw(st.integers(0, len(stream) - 1))
    with memory_lake() as lake:
        step = IdentityStep(lake)
        for number, told in enumerate(stream):
            ask_all(lake, told)
            if number == crashed:
                die_after(writes, lake, step, told.batch, number, **more_of(told))
                step = IdentityStep(lake)
            play(lake, step, told, number)
        assert_equals_one_solve(lake, stream)


@given(batches=streams(), data=st.data())
@examples(25)
def test_undoing_an_override_restores_the_map_exactly(batches, data):
    words = sorted({word for _, line in whole(batches).values() for word in line.split()})
    if len(words) < 2:
        return
    action = data.draw(st.sampled_from(sorted(overrides.ACTIONS)))
    count = overrides.ACTIONS[action]
    named = data.draw(st.lists(st.sampled_from(words), min_size=count, max_size=count, unique=True))
    made = asked(action, *named, minute=1)
    with memory_lake() as lake:
        step = IdentityStep(lake)
        for number, batch in enumerate(batches):
            play(lake, step, Told(batch, [], {}, []), number)
        before = lake.map[["actor_id", *SOLVED]]
        for number, request in enumerate((made, undo(made, 2)), start=len(batches)):
            told = Told({}, [request], {}, [])
            ask_all(lake, told)
            play(lake, step, told, number)
        assert lake.rows(SILVER_IDENTITY_OVERRIDES)["undone_at"].notna().all()
        pd.testing.assert_frame_equal(lake.map[before.columns], before)
        assert_log_and_history_tell_the_map(lake)


def test_an_unlink_takes_apart_and_its_undo_puts_together() -> None:
    graph = {"web": (1, "user_id:ann device_id:pad"), "app": (2, "device_id:pad email:mum"), "tv": (3, "email:mum")}
    made = asked("unlink", "user_id:ann", "email:mum", minute=1)
    with memory_lake() as lake:
        step = IdentityStep(lake)
        play(lake, step, Told(graph, [], {}, []), 0)
        assert set(lake.map["profile_id"]) == {"web"}
        for number, (request, expected) in enumerate(((made, ["app", "app", "web"]), (undo(made, 2), ["web"] * 3)), 1):
            override_store.ask(override_store.store_of(lake), request)
            play(lake, step, Told({}, [], {}, []), number)
            assert lake.map["profile_id"].tolist() == expected
        assert MATCH not in set(lake.rows(SILVER_IDENTITY_EDGES)["identifier_type"])

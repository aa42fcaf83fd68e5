"""The identity step through its index, streamed, replayed and crashed, against one solve of everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import IdentifierRule
from lakehouse.identity import reach
from lakehouse.identity.solve import solve
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_RULES,
)
from tests.lakehouse.identity.identity_checks import (
    assert_equals_solve_of_everything,
    assert_log_and_history_tell_the_map,
    assert_map_is,
)
from tests.lakehouse.identity.identity_graphs import (
    RULES,
    actors_of,
    at,
    edges_of,
    examples,
    slow_solve,
    streams,
    whole,
)
from tests.lakehouse.identity.memory_lake import die_after, facts, memory_lake, stream, take

MOST_WRITES = 8


@given(batches=streams())
@examples(25)
def test_a_stream_in_any_order_and_batching_equals_one_solve_of_everything(batches):
    with memory_lake() as lake:
        stream(lake, *batches)
        graph = whole(batches)
        assert_equals_solve_of_everything(lake, graph)
        assert_log_and_history_tell_the_map(lake)
        seen = lake.rows(SILVER_IDENTITY_EDGES).merge(lake.map, on="actor_id")
        assert (seen["first_seen_at_x"] == seen["first_seen_at_y"]).all()
        assert len(seen) == len(edges_of(graph))


def started_again(lake, *, is_idle):
    """After a crash. `is_idle`: it looks what is due before the first batch comes, as the driver does at its start."""
    step = IdentityStep(lake)
    if is_idle:
        take(step, {}, -1)
    return step


@given(batches=streams(), writes=st.integers(0, MOST_WRITES), is_idle=st.booleans(), data=st.data())
@examples(25)
def test_a_crash_after_any_write_heals_on_replay(batches, writes, is_idle, data):
    crashed = data.draw(st.integers(0, len(batches) - 1))
    with memory_lake() as lake:
        step = stream(lake, *batches[:crashed])
        die_after(writes, lake, step, batches[crashed], crashed)
        again = started_again(lake, is_idle=is_idle)
        for batch_id in range(crashed, len(batches)):
            take(again, batches[batch_id], batch_id)
        assert_equals_solve_of_everything(lake, whole(batches))
        assert_log_and_history_tell_the_map(lake)


@given(batches=streams(), writes=st.integers(0, MOST_WRITES), is_idle=st.booleans(), data=st.data())
@examples(25)
def test_a_change_is_logged_once_although_another_batch_brings_it_after_a_crash(batches, writes, is_idle, data):
    """As catching up does after a start: the batch that died is not the one that ends its work."""
    crashed = data.draw(st.integers(0, len(batches) - 1))
    with memory_lake() as lake, memory_lake() as other:
        step = stream(lake, *batches[:crashed])
        die_after(writes, lake, step, batches[crashed], crashed)
        take(started_again(lake, is_idle=is_idle), batches[crashed], crashed + 1000)
        stream(other, *batches[: crashed + 1])
        assert_log_and_history_tell_the_map(lake)
        moves = ["actor_id", "from_profile_id", "to_profile_id"]
        logs = [one.rows(SILVER_IDENTITY_LOG)[moves].astype(object).fillna("none") for one in (lake, other)]
        assert sorted(logs[0].itertuples(index=False)) == sorted(logs[1].itertuples(index=False))


@pytest.mark.parametrize("writes", range(MOST_WRITES + 1))
def test_what_was_logged_before_a_crash_is_not_logged_again_after_an_idle_start(writes):
    first, second = {"a": (1, "email:x"), "b": (2, "email:y")}, {"c": (3, "email:x"), "d": (4, "email:y")}
    with memory_lake() as lake:
        die_after(writes, lake, stream(lake, first), second, 1)
        take(started_again(lake, is_idle=True), second, 1)
        assert sorted(lake.rows(SILVER_IDENTITY_LOG)["actor_id"]) == ["a", "b", "c", "d"]
        assert_log_and_history_tell_the_map(lake)


@pytest.mark.parametrize("writes", range(MOST_WRITES + 1))
def test_a_crash_while_an_identifier_is_pushed_over_its_cap_still_takes_its_carriers_apart(writes):
    fourth = {name: (minute, "device_id:tablet") for minute, name in enumerate(["ann", "bob", "cid", "dot"])}
    fifth = {"eve": (5, "device_id:tablet")}
    with memory_lake() as lake:
        step = stream(lake, fourth)
        die_after(writes, lake, step, fifth, 1)
        take(IdentityStep(lake), fifth, 1)
        assert_equals_solve_of_everything(lake, whole([fourth, fifth]))
        assert_log_and_history_tell_the_map(lake)


@given(batches=streams(), data=st.data())
@examples(20)
def test_a_replay_of_any_batch_changes_nothing(batches, data):
    again = data.draw(st.integers(0, len(batches) - 1))
    with memory_lake() as lake:
        step = stream(lake, *batches)
        before = dict(lake.tables)
        for replayer in (step, IdentityStep(lake)):
            take(replayer, batches[again], again)
            for name, rows in lake.tables.items():
                assert rows.equals(before[name]), name


@given(batches=streams())
@examples(15)
def test_a_lost_index_is_made_again_from_the_tables(batches):
    with memory_lake() as lake:
        for batch_id, batch in enumerate(batches):
            step = IdentityStep(lake)
            step.index.clear()
            take(IdentityStep(lake), batch, batch_id)
        assert_equals_solve_of_everything(lake, whole(batches))
        assert_log_and_history_tell_the_map(lake)


OTHER_RULES = {
    "user_id": IdentifierRule(priority=3, limit=2, max_actors=3),
    "email": IdentifierRule(priority=1, limit=1, max_actors=6),
    "device_id": IdentifierRule(priority=2, limit=9, max_actors=2, keeps_oldest=True),
    "fingerprint": IdentifierRule(priority=4, limit=2, max_actors=9),
}


@given(batches=streams(), data=st.data())
@examples(20)
def test_changed_rules_solve_everything_again_at_the_next_batch(batches, data):
    change = data.draw(st.integers(0, len(batches) - 1))
    with memory_lake() as lake:
        stream(lake, *batches[:change])
        lake.set_rules(OTHER_RULES)
        writes = data.draw(st.integers(0, MOST_WRITES))
        die_after(writes, lake, IdentityStep(lake), batches[change], change)
        step = IdentityStep(lake)
        for batch_id in range(change, len(batches)):
            take(step, batches[batch_id], batch_id)
        assert_equals_solve_of_everything(lake, whole(batches), OTHER_RULES)
        assert_log_and_history_tell_the_map(lake)
        assert len(lake.rows(SILVER_IDENTITY_RULES)) <= 2


@given(batches=streams())
@examples(15)
def test_no_identifier_over_its_cap_links_and_the_slow_solver_agrees(batches):
    with memory_lake() as lake:
        stream(lake, *batches)
        expected, _ = slow_solve(
            whole(batches), {**RULES, "fingerprint": IdentifierRule(priority=9, limit=99, max_actors=0)}
        )
        assert dict(zip(lake.map["actor_id"], lake.map["profile_id"], strict=True)) == expected


@given(st.permutations(range(9)), st.integers(1, 9))
@examples(20)
def test_a_kiosk_that_crosses_its_cap_lets_go_of_everybody_in_any_order(order, size):
    guests = {f"guest{n}": (n, f"device_id:kiosk email:{n}") for n in order}
    names = list(guests)
    cuts = [dict(list(guests.items())[i : i + size]) for i in range(0, len(names), size)]
    with memory_lake() as lake:
        stream(lake, *cuts)
        assert_equals_solve_of_everything(lake, guests)
        assert lake.map["profile_id"].tolist() == lake.map["component_id"].tolist() == sorted(names)


def test_a_hub_does_not_bring_its_carriers():
    guests = {f"guest{n}": (n, f"device_id:kiosk email:{n}") for n in range(9)}
    with memory_lake() as lake:
        step = stream(lake, guests)
        new = {"new": (99, "device_id:kiosk email:3")}
        found = reach.touched(step.index, actors_of(new), edges_of(new), RULES)
        assert found.map_rows["actor_id"].tolist() == ["guest3"]
        assert found.hubs == {("device_id", "kiosk"): None}


@given(st.permutations(range(9)), st.integers(1, 9))
@examples(20)
def test_an_address_that_crosses_its_cap_keeps_its_oldest_in_any_order(order, size):
    """A customer whose every visit comes with a new cookie stays one profile, whichever visit arrives first."""
    visits = {f"visit{n}": (n, f"email:ann anonymous_id:{n}") for n in order}
    names = list(visits)
    cuts = [dict(list(visits.items())[i : i + size]) for i in range(0, len(names), size)]
    most = RULES["email"].max_actors
    with memory_lake() as lake:
        stream(lake, *cuts)
        assert_equals_solve_of_everything(lake, visits)
        assert lake.map["profile_id"].tolist() == ["visit0"] * most + sorted(names)[most:]


def test_who_comes_after_those_a_hub_keeps_reads_none_of_them():
    visits = {f"visit{n}": (n, f"email:ann anonymous_id:{n}") for n in range(9)}
    with memory_lake() as lake:
        step = stream(lake, visits)
        late, early = {"late": (99, "email:ann")}, {"early": (1, "email:ann")}
        assert reach.touched(step.index, actors_of(late), edges_of(late), RULES).map_rows.empty
        found = reach.touched(step.index, actors_of(early), edges_of(early), RULES)
        assert {"visit0", "visit1", "visit2"} <= set(found.map_rows["actor_id"]) <= set(visits)
        assert found.hubs == {("email", "ann"): "visit1"}  # as old as `early`, and behind it by name


@given(batches=streams(), data=st.data())
@examples(20)
def test_edges_that_go_leave_what_is_left_solved(batches, data):
    graph = whole(batches)
    with memory_lake() as lake:
        step = stream(lake, *batches)
        edges = edges_of(graph)
        loose = edges[~edges["identifier_type"].map(lambda kind: kind in RULES and RULES[kind].keeps_oldest)]
        gone = loose[[data.draw(st.booleans()) for _ in range(len(loose))]] if len(edges) < 60 else loose.iloc[::3]
        take(step, {}, len(batches), gone_edges=gone)
        left = edges.drop(gone.index)
        assert_map_is(lake, solve(left, actors_of(graph), RULES))
        assert len(lake.rows(SILVER_IDENTITY_EDGES)) == len(left)
        assert_log_and_history_tell_the_map(lake)


def test_a_blocked_value_counts_for_nothing_once_the_rules_say_so():
    graph = {"a": (1, "email:1 device_id:guest"), "b": (2, "device_id:guest"), "c": (3, "device_id:guest email:1")}
    with memory_lake() as lake:
        lake.set_rules(RULES, blocked_values=(), blocked_pattern="^$")
        stream(lake, graph)
        assert set(lake.map["profile_id"]) == {"a"}
        lake.set_rules(RULES, blocked_values=("guest",), blocked_pattern="^$")
        touched = take(IdentityStep(lake), {}, 1)
        assert lake.map.set_index("actor_id")["profile_id"].to_dict() == {"a": "a", "b": "b", "c": "c"} | {
            "c": "c" if RULES["email"].limit < 1 else lake.map.set_index("actor_id")["profile_id"]["c"]
        }
        assert {"a", "b"} <= touched
        assert len(lake.rows(SILVER_IDENTITY_EDGES)) == 5
        assert_log_and_history_tell_the_map(lake)


def test_an_idle_call_with_seeds_solves_their_components_again():
    with memory_lake() as lake:
        step = stream(lake, {"a": (1, "email:x"), "b": (2, "email:x"), "c": (3, "email:y")})
        lake.set_rules({**RULES, "email": IdentifierRule(priority=2, limit=2, max_actors=1)})
        assert take(step, {}, 1, seeds=["a"]) == {"a", "b"}
        assert lake.map["profile_id"].tolist() == ["a", "b", "c"]
        assert_log_and_history_tell_the_map(lake)


@given(batches=streams())
@examples(20)
def test_the_clock_may_stand_still_or_go_back(batches):
    with memory_lake() as lake:
        step = IdentityStep(lake)
        for batch_id, batch in enumerate(batches):
            step.resolve_batch(facts(batch), batch_id=batch_id, now=at(50 - batch_id // 2).astimezone())
        assert_log_and_history_tell_the_map(lake)
        assert lake.rows(SILVER_IDENTITY_MAP)["resolved_at"].notna().all()


def arrival_time_profiles(batches) -> dict[str, str]:
    """A deliberately wrong variant: limits are checked when an actor arrives, and what is joined stays joined."""
    graph: dict = {}
    profile: dict[str, str] = {}
    for batch in batches:
        for name, (minute, words) in batch.items():
            if name in graph:
                continue
            graph[name] = (minute, words)
            profile[name] = name
            for word in words.split():
                kind = word.split(":")[0]
                others = {profile[other] for other in graph if other != name and word in graph[other][1].split()}
                for other in others:
                    members = [n for n in profile if profile[n] in (other, profile[name])]
                    users = {w for n in members for w in graph[n][1].split() if w.startswith(f"{kind}:")}
                    if kind in RULES and len(users) <= RULES[kind].limit:
                        for n in members:
                            profile[n] = other
    return profile


def test_limits_checked_on_arrival_would_fail_the_first_test():
    wrong = 0

    @given(batches=streams())
    @examples(30)
    def count(batches):
        nonlocal wrong
        graph = whole(batches)
        expected = solve(edges_of(graph), actors_of(graph), RULES).set_index("actor_id")["profile_id"]
        got = arrival_time_profiles(batches)
        groups = {frozenset(n for n in got if got[n] == p) for p in got.values()}
        wrong += groups != {frozenset(names) for names in expected.groupby(expected).groups.values()}

    count()
    assert wrong >= 20

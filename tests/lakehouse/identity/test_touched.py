import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_graphs import RULES, Lake, actors_of, at, edges_of, examples, nothing, streams, whole

from lakehouse.errors import ContractError
from lakehouse.identity.changes import fold
from lakehouse.identity.solve import solve
from lakehouse.identity.touched import SOLVED, resolve, touched
from lakehouse.tables import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP


def lake_after(*batches) -> Lake:
    lake = Lake.empty()
    for batch_id, batch in enumerate(batches):
        lake.take(batch, RULES, batch_id)
    return lake


def profiles(lake: Lake) -> dict[str, str]:
    return dict(zip(lake.map["actor_id"], lake.map["profile_id"], strict=True))


def assert_same(lake: Lake, other: Lake) -> None:
    """All three tables, but for the times of writing, which a retry may move."""
    for left, right in ((lake.edges, other.edges), (lake.log, other.log), (lake.map, other.map)):
        drop = [column for column in ("changed_at", "resolved_at") if column in left]
        pd.testing.assert_frame_equal(left.drop(columns=drop), right.drop(columns=drop), check_dtype=False)


def assert_equals_solve_of_everything(lake: Lake, graph) -> None:
    expected = solve(edges_of(graph), actors_of(graph), RULES)
    columns = ["actor_id", *SOLVED]
    pd.testing.assert_frame_equal(lake.map[columns], expected[columns], check_dtype=False)


LOGIN = {
    "browse": (1, "anonymous_id:c1 device_id:laptop"),
    "login": (5, "anonymous_id:c1 device_id:laptop user_id:ann"),
}


def test_a_first_batch_writes_every_row_in_the_contracts_columns():
    resolution = Lake.empty().resolve(LOGIN, RULES, 0)
    assert list(resolution.edge_rows.columns) == SILVER_IDENTITY_EDGES.column_names
    assert list(resolution.log_rows.columns) == SILVER_IDENTITY_LOG.column_names
    assert resolution.map_rows[SILVER_IDENTITY_MAP.column_names].to_dict("records") == [
        {
            "actor_id": actor,
            "profile_id": "browse",
            "component_id": "browse",
            "first_seen_at": pd.Timestamp(at(minute)),
            "cause": "device_id",
            "resolved_at": pd.Timestamp(at(1_000_000)),
        }
        for actor, minute in (("browse", 1), ("login", 5))
    ]
    assert set(resolution.edge_rows["kind"]) == {"deterministic"}
    assert set(resolution.edge_rows["weight"]) == {0.0}
    assert resolution.vanished_profiles == ()


def test_a_batch_that_touches_one_component_writes_nothing_of_the_others():
    lake = lake_after(LOGIN, {"stranger": (2, "device_id:other")})
    resolution = lake.resolve({"tablet": (9, "device_id:tablet user_id:ann")}, RULES, 2)
    assert set(resolution.log_rows["actor_id"]) == {"tablet"}
    assert set(resolution.edge_rows["actor_id"]) == {"tablet"}
    # `login` is now tied to its profile by something stronger
    assert resolution.map_rows.set_index("actor_id")["cause"].to_dict() == {"login": "user_id", "tablet": "user_id"}


def test_touched_takes_whole_components_by_shared_identifier_and_nothing_else():
    lake = lake_after(LOGIN, {"far": (3, "user_id:ann email:x")}, {"stranger": (2, "device_id:other")})
    batch = {"new": (9, "anonymous_id:c1")}
    map_rows, edge_rows = touched(actors_of(batch), edges_of(batch), lake.map, lake.edges)
    assert sorted(map_rows["actor_id"]) == ["browse", "far", "login"]
    assert set(edge_rows["actor_id"]) == {"browse", "far", "login"}


def test_the_older_id_survives_a_merge_and_the_other_vanishes():
    lake = lake_after({"ann": (1, "user_id:ann")}, {"visitor": (2, "device_id:phone")})
    resolution = lake.take({"login": (3, "user_id:ann device_id:phone")}, RULES, 2)
    assert profiles(lake) == {"ann": "ann", "login": "ann", "visitor": "ann"}
    assert resolution.vanished_profiles == ("visitor",)
    assert resolution.log_rows.set_index("actor_id")["type"].to_dict() == {"login": "attach", "visitor": "merge"}


def test_a_late_earlier_event_changes_the_canonical_id_and_all_edges_of_its_actor():
    lake = lake_after(LOGIN)
    resolution = lake.take({"login": (0, "anonymous_id:c1 device_id:laptop user_id:ann")}, RULES, 1)
    assert profiles(lake) == {"browse": "login", "login": "login"}
    assert resolution.vanished_profiles == ("browse",)
    assert resolution.edge_rows["actor_id"].tolist() == ["login"] * 3
    assert set(resolution.edge_rows["first_seen_at"]) == {pd.Timestamp(at(0))}


def test_a_later_event_of_a_known_actor_changes_nothing():
    lake = lake_after(LOGIN)
    assert nothing(lake.resolve({"browse": (7, LOGIN["browse"][1])}, RULES, 1))


def test_a_late_second_login_splits_a_profile():
    lake = lake_after(LOGIN)
    resolution = lake.take({"bob": (9, "device_id:laptop anonymous_id:c1 user_id:bob")}, RULES, 1)
    assert profiles(lake) == {"browse": "browse", "login": "login", "bob": "bob"}
    log = resolution.log_rows.set_index("actor_id")
    assert log["type"].to_dict() == {"bob": "create", "login": "split"}
    assert log.loc["login", "from_profile_id"] == "browse"
    assert lake.map.set_index("actor_id")["cause"].to_dict() == {"browse": None, "login": None, "bob": None}


def test_a_stored_edge_keeps_its_kind_and_weight():
    lake = lake_after({"a": (5, "email:x")})
    lake.edges = lake.edges.assign(kind="probabilistic", weight=7.5)
    row = lake.resolve({"a": (1, "email:x")}, RULES, 1).edge_rows.iloc[0]
    assert (row["kind"], row["weight"]) == ("probabilistic", 7.5)


def test_edges_left_by_a_crash_are_resolved_by_the_next_batch_that_meets_them():
    lake = Lake.empty()
    lake.take({"lost": (1, "email:x")}, RULES, 0, writes=1)
    lake.take({"next": (2, "email:x")}, RULES, 1)
    assert profiles(lake) == {"lost": "lost", "next": "lost"}


def test_an_empty_batch_on_an_empty_lake_changes_nothing():
    assert nothing(Lake.empty().resolve({}, RULES, 0))


def test_timestamps_with_a_zone_come_back_with_it():
    zoned = actors_of(LOGIN)
    zoned["first_seen_at"] = zoned["first_seen_at"].dt.tz_localize("UTC")
    empty = Lake.empty()
    now = pd.Timestamp(at(9), tz="UTC").to_pydatetime()
    resolution = resolve(zoned, edges_of(LOGIN), empty.map, empty.edges, RULES, batch_id=0, now=now)
    for rows, column in (
        (resolution.map_rows, "first_seen_at"),
        (resolution.map_rows, "resolved_at"),
        (resolution.edge_rows, "first_seen_at"),
    ):
        assert str(rows[column].dtype) == "datetime64[us, UTC]"


@given(streams())
@examples(30)
def test_a_stream_in_any_order_and_batching_equals_one_solve_of_everything(stream):
    lake = lake_after(*stream)
    graph = whole(stream)
    assert_equals_solve_of_everything(lake, graph)
    seen = lake.edges.merge(lake.map, on="actor_id")
    assert (seen["first_seen_at_x"] == seen["first_seen_at_y"]).all()
    assert len(lake.edges) == len(edges_of(graph))


@given(streams())
@examples(20)
def test_the_log_folds_to_the_map_after_every_batch(stream):
    lake = Lake.empty()
    for batch_id, batch in enumerate(stream):
        lake.take(batch, RULES, batch_id)
        pd.testing.assert_frame_equal(fold(lake.log), lake.map[["actor_id", "profile_id"]], check_dtype=False)


@given(streams(), st.data())
@examples(20)
def test_a_replay_of_any_batch_changes_nothing_and_writes_no_log_rows(stream, data):
    lake = lake_after(*stream)
    again = data.draw(st.integers(0, len(stream) - 1))
    resolution = lake.resolve(stream[again], RULES, again)
    assert nothing(resolution)
    assert resolution.vanished_profiles == ()


@given(streams(), st.integers(0, 2), st.data())
@examples(20)
def test_a_crash_between_any_two_writes_heals_on_replay(stream, writes, data):
    crashed, undisturbed = data.draw(st.integers(0, len(stream) - 1)), lake_after(*stream)
    lake = Lake.empty()
    for batch_id, batch in enumerate(stream):
        if batch_id == crashed:
            lake.take(batch, RULES, batch_id, writes=writes)
        lake.take(batch, RULES, batch_id)
    assert_same(lake, undisturbed)


@given(streams())
@examples(20)
def test_profiles_whose_actors_did_not_change_keep_their_id(stream):
    lake = lake_after(*stream[:-1])
    before = lake.map
    resolution = lake.take(stream[-1], RULES, len(stream))
    untouched_times = set(before["actor_id"]) - set(stream[-1])
    after = {frozenset(group): name for name, group in lake.map.groupby("profile_id")["actor_id"]}
    for name, group in before.groupby("profile_id")["actor_id"] if len(before) else []:
        if set(group) <= untouched_times and frozenset(group) in after:
            assert after[frozenset(group)] == name
    assert set(resolution.vanished_profiles) == set(before["profile_id"]) - set(lake.map["profile_id"])


@given(streams())
@examples(20)
def test_only_rows_that_really_changed_are_returned(stream):
    lake = lake_after(*stream[:-1])
    before = lake.map.set_index("actor_id").astype(object)
    for row in lake.resolve(stream[-1], RULES, len(stream)).map_rows.set_index("actor_id").itertuples():
        if row.Index in before.index:
            old = before.loc[row.Index]
            assert any(not _equal(getattr(row, column), old[column]) for column in SOLVED)


def _equal(left, right):
    return left == right or (pd.isna(left) and pd.isna(right))


@given(streams())
@examples(20)
def test_the_whole_tables_give_the_same_answer_as_the_touched_rows(stream):
    lake, batch = lake_after(*stream[:-1]), stream[-1]
    narrow = lake.resolve(batch, RULES, 9)
    wide = resolve(actors_of(batch), edges_of(batch), lake.map, lake.edges, RULES, batch_id=9, now=at(1_000_009))
    for name in ("edge_rows", "log_rows", "map_rows"):
        pd.testing.assert_frame_equal(getattr(narrow, name), getattr(wide, name), check_dtype=False)
    assert narrow.vanished_profiles == wide.vanished_profiles


def test_edges_of_an_actor_nobody_knows_are_refused():
    empty = Lake.empty()
    with pytest.raises(ContractError, match="'ghost'"):
        resolve(
            actors_of({"a": (1, "")}),
            edges_of({"ghost": (1, "email:x")}),
            empty.map,
            empty.edges,
            RULES,
            batch_id=0,
            now=at(1),
        )

import pandas as pd
import pytest

from lakehouse.errors import ContractError
from lakehouse.identity import reach
from lakehouse.identity.touched_components import Resolution, Touched, resolve
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP
from tests.lakehouse.identity.identity_graphs import RULES, actors_of, at, edges_of
from tests.lakehouse.identity.memory_lake import EPOCH, memory_lake, stream

LOGIN = {
    "browse": (1, "anonymous_id:c1 device_id:laptop"),
    "login": (5, "anonymous_id:c1 device_id:laptop user_id:ann"),
}
NOTHING = Touched(
    map_rows=pd.DataFrame(columns=SILVER_IDENTITY_MAP.column_names),
    edge_rows=pd.DataFrame(columns=SILVER_IDENTITY_EDGES.column_names),
)


def after(*batches, batch, facts=None, gone=None) -> Resolution:
    """What one more batch changes. `facts`: kind and weight of its edges."""
    with memory_lake() as lake:
        index = stream(lake, *batches).index
        edges = edges_of(batch).assign(**(facts or {}))
        stored = reach.touched(index, actors_of(batch), edges, RULES, gone_edges=gone, seeds=batch)
        now = at(2_000_000)
        return resolve(actors_of(batch), edges, stored, RULES, batch_id=9, now=now, gone_edges=gone)


def nothing(resolution: Resolution) -> bool:
    return not (len(resolution.edges) or len(resolution.log_rows) or len(resolution.map))


def test_a_first_batch_writes_every_row_in_the_contracts_columns():
    resolution = resolve(actors_of(LOGIN), edges_of(LOGIN), NOTHING, RULES, batch_id=0, now=at(9))
    assert list(resolution.edges.new.columns) == SILVER_IDENTITY_EDGES.column_names
    assert list(resolution.log_rows.columns) == SILVER_IDENTITY_LOG.column_names
    assert resolution.map.new[SILVER_IDENTITY_MAP.column_names].to_dict("records") == [
        {
            "actor_id": actor,
            "profile_id": "browse",
            "component_id": "browse",
            "first_seen_at": pd.Timestamp(at(minute)),
            "cause": cause,
            "resolved_at": pd.Timestamp(at(9)),
        }
        for actor, minute, cause in (("browse", 1, None), ("login", 5, "device_id"))
    ]
    assert set(resolution.edges.new["kind"]) == {"deterministic"}
    assert set(resolution.edges.new["weight"]) == {0.0}
    assert resolution.vanished_profiles == ()
    assert len(resolution.edges.changed) == len(resolution.map.changed) == 0


def test_who_joins_later_changes_no_row_but_the_newcomers():
    resolution = after(LOGIN, {"far": (2, "device_id:other")}, batch={"tablet": (9, "device_id:other")})
    assert resolution.map.new["actor_id"].tolist() == ["tablet"]
    assert len(resolution.map.changed) == 0
    assert resolution.edges.new["actor_id"].tolist() == ["tablet"]


def test_a_stronger_tie_changes_the_cause_and_no_profile():
    resolution = after(LOGIN, batch={"tablet": (9, "device_id:tablet user_id:ann")})
    assert resolution.log_rows["actor_id"].tolist() == ["tablet"]
    changed = resolution.map.changed.set_index("actor_id")
    assert changed["cause"].to_dict() == {"login": "user_id"}
    assert changed["stored_at"].tolist() == [pd.Timestamp(at(5))]


def test_touched_takes_whole_components_by_shared_identifier_and_nothing_else():
    with memory_lake() as lake:
        index = stream(lake, LOGIN, {"far": (3, "user_id:ann email:x")}, {"stranger": (2, "device_id:other")}).index
        new = {"new": (9, "anonymous_id:c1")}
        found = reach.touched(index, actors_of(new), edges_of(new), RULES)
    assert sorted(found.map_rows["actor_id"]) == ["browse", "far", "login"]
    assert set(found.edge_rows["actor_id"]) == {"browse", "far", "login"}
    assert not found.hubs


def test_the_older_id_survives_a_merge_and_the_other_vanishes():
    resolution = after(
        {"ann": (1, "user_id:ann")}, {"visitor": (2, "device_id:phone")},
        batch={"login": (3, "user_id:ann device_id:phone")},
    )  # fmt: skip
    assert resolution.vanished_profiles == ("visitor",)
    assert resolution.log_rows.set_index("actor_id")["type"].to_dict() == {"login": "attach", "visitor": "merge"}
    (moved,) = resolution.map.changed.to_dict("records")
    assert moved["profile_id"] == "ann"
    assert moved["stored_at"] == moved["first_seen_at"] == pd.Timestamp(at(2))
    assert moved["since"] == pd.Timestamp(at(EPOCH + 1))


def test_a_late_earlier_event_changes_the_canonical_id_and_all_edges_of_its_actor():
    resolution = after(LOGIN, batch={"login": (0, LOGIN["login"][1])})
    assert resolution.map.changed.set_index("actor_id")["profile_id"].to_dict() == {"browse": "login", "login": "login"}
    assert resolution.vanished_profiles == ("browse",)
    assert resolution.edges.changed["actor_id"].tolist() == ["login"] * 3
    assert set(resolution.edges.changed["first_seen_at"]) == {pd.Timestamp(at(0))}
    assert set(resolution.edges.changed["stored_at"]) == {pd.Timestamp(at(5))}
    assert len(resolution.edges.new) == len(resolution.map.new) == 0


def test_a_later_event_of_a_known_actor_changes_nothing():
    assert nothing(after(LOGIN, batch={"browse": (7, LOGIN["browse"][1])}))


def test_a_late_second_login_splits_a_profile():
    resolution = after(LOGIN, batch={"bob": (9, "device_id:laptop anonymous_id:c1 user_id:bob")})
    log = resolution.log_rows.set_index("actor_id")
    assert log["type"].to_dict() == {"bob": "create", "login": "split"}
    assert log.loc["login", "from_profile_id"] == "browse"
    assert resolution.map.changed["cause"].isna().all()


def test_an_edge_that_goes_splits_and_is_deleted():
    gone = edges_of({"login": (5, "anonymous_id:c1 device_id:laptop")})
    resolution = after(LOGIN, batch={}, gone=gone)
    assert resolution.edges.gone["identifier_type"].tolist() == ["anonymous_id", "device_id"]
    assert resolution.map.changed.set_index("actor_id")["profile_id"].to_dict() == {"login": "login"}


def test_a_weight_that_changes_is_an_update_and_an_edge_that_says_none_keeps_its_own():
    heavy = {"kind": "probabilistic", "weight": 7.5}
    (row,) = after({"a": (1, "email:x")}, batch={"a": (1, "email:x")}, facts=heavy).edges.changed.to_dict("records")
    assert (row["kind"], row["weight"]) == ("probabilistic", 7.5)
    stored = Touched(map_rows=NOTHING.map_rows, edge_rows=pd.DataFrame([row]).assign(first_seen_at=pd.Timestamp(at(5))))
    earlier = {"a": (1, "email:x")}
    told = resolve(actors_of(earlier), edges_of(earlier), stored, RULES, batch_id=1, now=at(9)).edges
    assert told.changed[["kind", "weight"]].to_numpy().tolist() == [["probabilistic", 7.5]]


def test_a_view_hides_facts_from_the_solver_and_not_from_the_tables():
    stored = Touched(map_rows=NOTHING.map_rows, edge_rows=NOTHING.edge_rows)
    resolution = resolve(
        actors_of(LOGIN), edges_of(LOGIN), stored, RULES, batch_id=0, now=at(9),
        view=lambda edges, rules: (edges.iloc[:0], rules),
    )  # fmt: skip
    assert resolution.map.new["profile_id"].tolist() == ["browse", "login"]
    assert len(resolution.edges.new) == 5


def test_an_empty_batch_on_an_empty_lake_changes_nothing():
    assert nothing(after(batch={}))


def test_timestamps_with_a_zone_come_back_with_it():
    zoned = actors_of(LOGIN)
    zoned["first_seen_at"] = zoned["first_seen_at"].dt.tz_localize("UTC")
    now = pd.Timestamp(at(9), tz="UTC").to_pydatetime()
    resolution = resolve(zoned, edges_of(LOGIN), NOTHING, RULES, batch_id=0, now=now)
    for rows, column in (
        (resolution.map.new, "first_seen_at"),
        (resolution.map.new, "resolved_at"),
        (resolution.edges.new, "first_seen_at"),
    ):
        assert str(rows[column].dtype) == "datetime64[us, UTC]"


def test_edges_of_an_actor_nobody_knows_are_refused():
    with pytest.raises(ContractError, match="'ghost'"):
        resolve(actors_of({"a": (1, "")}), edges_of({"ghost": (1, "email:x")}), NOTHING, RULES, batch_id=0, now=at(1))

"""The index against two dictionaries, and what becomes of it when its files or its map run out."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.index import ActorRecord, Index, identifier_key, micros
from lakehouse.identity.reach import edges_of, everyone, members, places
from lakehouse.lake import local_index
from lakehouse.lake.local_index import opened
from tests.lakehouse.identity.identity_graphs import at, examples

ACTORS = ["ann", "bob", "cat", "dan"]
TOKENS = ["x", "y", "long" * 200, "\x1f\n'\"", "ünïcödé"]


def edge_rows(rows) -> pd.DataFrame:
    columns = ["actor_id", "identifier_type", "identifier_token", "kind", "weight", "first_seen_at"]
    facts = [
        (actor, kind, token, "deterministic", weight, at(minute)) for (actor, kind, token), (weight, minute) in rows
    ]
    return pd.DataFrame(facts, columns=columns).astype({"first_seen_at": "datetime64[us]", "weight": float})


def map_rows(rows) -> pd.DataFrame:
    columns = ["actor_id", "profile_id", "component_id", "first_seen_at", "cause"]
    facts = [(actor, profile, component, at(minute), cause) for actor, (profile, component, minute, cause) in rows]
    return pd.DataFrame(facts, columns=columns).astype({"first_seen_at": "datetime64[us]", "cause": object})


edges = st.dictionaries(
    st.tuples(st.sampled_from(ACTORS), st.sampled_from(["email", "device_id"]), st.sampled_from(TOKENS)),
    st.tuples(st.floats(0, 9), st.integers(0, 9)),
    max_size=6,
)
maps = st.dictionaries(
    st.sampled_from(ACTORS),
    st.tuples(
        st.sampled_from(ACTORS),
        st.sampled_from(ACTORS),
        st.integers(0, 9),
        st.sampled_from([None, "email", "device_id"]),
    ),
    max_size=4,
)


@given(st.lists(st.tuples(edges, maps, st.randoms(use_true_random=False)), max_size=5))
@examples(150)
def test_it_says_what_two_dictionaries_say(tmp_path_factory, writes):
    index = Index(tmp_path_factory.mktemp("index"))
    stored: dict = {}
    placed: dict = {}
    try:
        for new, moved, chance in writes:
            gone = [key for key in stored if chance.random() < 0.3]
            keys = pd.DataFrame(gone, columns=["actor_id", "identifier_type", "identifier_token"], dtype="str")
            index.write(edge_rows=edge_rows(new.items()), map_rows=map_rows(moved.items()), gone_edges=keys)
            stored = {key: facts for key, facts in (stored | new).items() if key not in gone}
            placed |= moved
        with index.reading() as reader:
            for identifier in {(kind, token) for _, kind, token in stored} | {("email", "never")}:
                carriers = {actor for actor, *name in stored if tuple(name) == identifier}
                assert reader.degree(identifier) == len(carriers)
                found = reader.carriers(identifier)
                assert [reader.record(one.number).actor_id for one in found] == [one.actor_id for one in found]
                assert [one[:2] for one in found] == sorted(
                    (pd.Timestamp(at(stored[actor, *identifier][1])).value // 1000, actor) for actor in carriers
                )
                assert reader.carriers(identifier, 2) == found[:2]
            for component in ACTORS:
                number = reader.number(component)
                inside = set() if number is None else {reader.record(n).actor_id for n in reader.in_component(number)}
                assert inside == {actor for actor, place in placed.items() if place[1] == component}
        found = edges_of(index, ACTORS).set_index(["actor_id", "identifier_type", "identifier_token"]).sort_index()
        assert {key: (row["weight"], row["first_seen_at"]) for key, row in found.iterrows()} == {
            key: (weight, pd.Timestamp(at(minute))) for key, (weight, minute) in stored.items()
        }
        assert places(index, ACTORS).set_index("actor_id")["profile_id"].to_dict() == {
            actor: place[0] for actor, place in placed.items()
        }
        assert set(stored and {key[0] for key in stored}) | set(placed) <= set(everyone(index))
    finally:
        index.close()


def test_members_of_a_profile_are_its_actors_and_a_profile_that_is_gone_has_none(tmp_path: Path) -> None:
    index = Index(tmp_path)
    rows = {"ann": ("ann", "ann", 1, None), "bob": ("ann", "ann", 2, "email"), "cat": ("cat", "ann", 3, None)}
    index.write(map_rows=map_rows(rows.items()))
    found = [tuple(row) for row in members(index, ["ann", "bob", "nobody"]).to_numpy()]
    assert found == [("ann", "ann"), ("bob", "ann")]
    index.close()


def test_the_map_grows_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_index, "_FIRST_BYTES", 2**18)
    index = Index(tmp_path)
    many = {(f"a{number}", "email", f"mail-{number}"): (0.0, 1) for number in range(5_000)}
    index.write(edge_rows=edge_rows(many.items()), stamp="full")
    assert len(everyone(index)) == 5_000
    assert index.stamp == "full"
    index.close()


def test_a_write_without_a_stamp_leaves_it_unfinished_and_clear_forgets_all(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.write(map_rows=map_rows([("ann", ("ann", "ann", 1, None))]), stamp="whole")
    assert index.stamp == "whole"
    index.write(map_rows=map_rows([("bob", ("bob", "bob", 1, None))]))
    assert index.stamp is None
    index.clear()
    assert everyone(index) == []
    index.close()


def test_a_folder_that_was_deleted_and_made_again_is_opened_anew(tmp_path: Path) -> None:
    folder = tmp_path / "_identity_index"
    first = opened(folder, Index)
    first.write(stamp="old")
    assert opened(folder, Index) is first
    shutil.rmtree(folder)
    second = opened(folder, Index)
    assert second is not first
    assert second.stamp is None
    second.close()
    local_index._OPEN.pop(folder)


def test_an_index_of_before_the_machine_started_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(local_index, "_BOOT", boot)
    for name in ("first", "second"):
        boot.write_text(name)
        index = Index(tmp_path / "index")
        assert index.stamp is None
        index.write(stamp=name)
        index.close()
    assert [folder.name for folder in (tmp_path / "index").iterdir()] == ["second"]


def test_a_record_survives_its_bytes() -> None:
    record = ActorRecord("ann", [1, 2, 3, None], {("email", "ä\x00"): ["probabilistic", 1.5, -7]})
    assert ActorRecord.decode(record.encode()) == record
    assert ActorRecord.decode(ActorRecord("bob").encode()) == ActorRecord("bob")


def test_equal_texts_of_two_types_have_two_keys() -> None:
    assert identifier_key(("a", "bc")) != identifier_key(("ab", "c"))


def test_times_with_a_zone_and_without_are_the_same_microseconds() -> None:
    naive = pd.Series([pd.Timestamp("2026-01-01 00:00:00.000001")])
    assert micros(naive) == micros(naive.dt.tz_localize("UTC")) == [1_767_225_600_000_001]

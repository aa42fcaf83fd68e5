"""Addresses out of real Delta tables, written by delta-rs."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.actions.addresses import DeltaEmailAddresses
from lakehouse.config import Config, load
from lakehouse.errors import LakeError
from lakehouse.events.identifiers import resolve
from lakehouse.identity.index import FORMAT, Index
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.delta_rs import version
from lakehouse.lake.local_index import folder_of
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, TraitIndex
from tests.online_people import person

SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def lake(tmp_path: Path, traits: list[tuple[str, str, str, int]], members: dict[str, str]) -> Config:
    config = load("dev", environ={})
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=str(tmp_path / "lake")))
    rows = [
        {"actor_id": actor, "trait": trait, "value": value, "seen_at": SEEN + timedelta(days=day), "source": "crm"}
        for actor, trait, value, day in traits
    ]
    write_deltalake(tmp_path / "lake" / "silver" / "personal_traits", pa.Table.from_pylist(rows))
    map_ = [{"actor_id": actor, "profile_id": profile, "resolved_at": SEEN} for actor, profile in members.items()]
    write_deltalake(tmp_path / "lake" / "silver" / "identity_map", pa.Table.from_pylist(map_))
    return config


TRAITS = [
    ("a1", "email", "ana.old@example.com", 1),
    ("a2", "email", " Ana@Example.com ", 2),
    ("a2", "phone", "+1 202 555 0100", 3),
    ("a3", "email", "later@example.com", 4),
    ("b1", "email", "bob@example.com", 9),
]
MEMBERS = {"a1": "ana", "a2": "ana", "a3": "ana", "b1": "bob"}


def tokens(config: Config, *values: str) -> list[tuple[str, str]]:
    return [("email", token) for value in values if (token := resolve("email", value, config)) is not None]


def test_the_latest_address_that_is_an_identifier_of_the_profile(tmp_path: Path) -> None:
    config = lake(tmp_path, TRAITS, MEMBERS)
    addresses = DeltaEmailAddresses(config)
    ana = person("ana", tokens(config, "ana.old@example.com", "ana@example.com"))
    assert addresses.latest(ana) == "Ana@Example.com"  # later@ was unlinked: it is not among the identifiers
    only_old = dataclasses.replace(ana, identifiers=tuple(tokens(config, "ana.old@example.com")))
    assert addresses.latest(only_old) == "ana.old@example.com"


def test_nobodys_address_is_used_when_lake_and_store_are_of_different_moments(tmp_path: Path) -> None:
    config = lake(tmp_path, TRAITS, MEMBERS | {"b1": "ana"})  # the lake has merged, the store has split again
    ana = person("ana", tokens(config, "ana@example.com"))
    assert DeltaEmailAddresses(config).latest(ana) == "Ana@Example.com"
    with pytest.raises(LakeError, match="bob"):  # for now
        DeltaEmailAddresses(config).latest(person("bob", tokens(config, "bob@example.com")))
    assert DeltaEmailAddresses(config).latest(person("ana", [("user_id", "u1")])) is None


def test_an_address_is_found_in_tables_that_were_merged_into_as_streams_do(tmp_path: Path) -> None:
    config = lake(tmp_path, TRAITS, MEMBERS)
    for name in ("personal_traits", "identity_map"):
        stored = DeltaTable(tmp_path / "lake" / "silver" / name)
        rows = stored.to_pyarrow_table().slice(0, 1)
        merge = stored.merge(rows, "new.actor_id = old.actor_id", source_alias="new", target_alias="old")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
    ana = person("ana", tokens(config, "ana@example.com"))
    assert DeltaEmailAddresses(config).latest(ana) == "Ana@Example.com"


def indexed(config: Config, *, traits_at: str = "", map_at: str = "") -> None:
    """What the streaming driver keeps beside the tables; by default of their versions."""
    silver = Path(config.lake.root) / "silver"
    traits, members = silver / "personal_traits", silver / "identity_map"
    stamp = {"format": TraitIndex.FORMAT, "silver.personal_traits": traits_at or version(str(traits))}
    index = TraitIndex(folder_of(config.lake.root, TraitIndex.NAME))
    rows = DeltaTable(traits).to_pyarrow_table().cast(arrow_schema(SILVER_PERSONAL_TRAITS))
    index.commit(lambda transaction: index.put(transaction, rows), stamp=json.dumps(stamp))
    index.close()
    map_rows = DeltaTable(members).to_pyarrow_table().to_pandas()
    map_rows = map_rows.assign(component_id=map_rows["profile_id"], first_seen_at=map_rows["resolved_at"], cause=None)
    identity = Index(folder_of(config.lake.root, "identity"))
    stamp = {"format": FORMAT, "silver.identity_map": map_at or version(str(members))}
    identity.write(map_rows=map_rows, stamp=json.dumps(stamp))
    identity.close()


def without_data(config: Config) -> None:
    """A table whose rows nobody can read any more."""
    for file in (Path(config.lake.root) / "silver").rglob("*.parquet"):
        file.unlink()


TOLD = st.dictionaries(
    st.sampled_from(["a1", "a2", "b1"]), st.tuples(st.sampled_from("pq"), st.integers(0, 3), st.integers(0, 2))
)


@given(st.lists(TOLD, min_size=8, max_size=8))
@settings(max_examples=13)  # a hundred pairs of people: to make a lake takes longer than to ask for all who are in it
def test_an_index_says_what_the_tables_say_and_no_row_of_them_is_read(
    told_of_pairs: list[dict[str, tuple[str, int, int]]],
) -> None:
    values = ["ana@example.com", " Ana.B@Example.com", "no address", "bob@example.com"]
    names = [f"{one}{pair}" for pair in range(len(told_of_pairs)) for one in "pq"]
    members, traits = {name: name for name in names}, [("p0", "phone", "1", 1)]
    for pair, told in enumerate(told_of_pairs):
        members |= {f"{actor}.{pair}": f"{profile}{pair}" for actor, (profile, _, _) in told.items()}
        traits += [(f"{actor}.{pair}", "email", values[value], day) for actor, (_, value, day) in told.items()]
    with TemporaryDirectory() as folder:
        config = lake(Path(folder), traits, members)
        people = [person(name, tokens(config, *values)) for name in names]
        scanned = [DeltaEmailAddresses(config).latest(one) for one in people]
        indexed(config)
        without_data(config)
        assert [DeltaEmailAddresses(config).latest(one) for one in people] == scanned


@pytest.mark.parametrize("stale", ["traits_at", "map_at"])
def test_an_index_of_another_version_is_not_asked(tmp_path: Path, stale: str) -> None:
    config = lake(tmp_path, TRAITS, {"ana": "ana", **MEMBERS})  # a profile has the name of one of its actors
    indexed(config, **{stale: "erased@1"})
    ana = person("ana", tokens(config, "ana@example.com"))
    assert DeltaEmailAddresses(config).latest(ana) == "Ana@Example.com"
    without_data(config)
    with pytest.raises(LakeError, match="cannot be read now"):
        DeltaEmailAddresses(config).latest(ana)


def test_no_table_is_for_now(tmp_path: Path) -> None:
    config = load("dev", environ={})
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=str(tmp_path)))
    with pytest.raises(LakeError, match="identity_map"):
        DeltaEmailAddresses(config).latest(person("ana", tokens(config, "ana@example.com")))

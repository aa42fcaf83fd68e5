"""Addresses out of real Delta tables, written by delta-rs."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.actions.addresses import DeltaEmailAddresses
from lakehouse.config import Config, load
from lakehouse.errors import LakeError
from lakehouse.events.identifiers import resolve
from tests.online_people import person

SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def lake(tmp_path: Path, traits: list[tuple[str, str, str, int]], members: dict[str, str]) -> Config:
    config = load("dev", environ={})
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=str(tmp_path / "lake")))
    rows = [
        {"actor_id": actor, "trait": trait, "value": value, "seen_at": SEEN + timedelta(days=day)}
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


def test_no_table_is_for_now(tmp_path: Path) -> None:
    config = load("dev", environ={})
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=str(tmp_path)))
    with pytest.raises(LakeError, match="identity_map"):
        DeltaEmailAddresses(config).latest(person("ana", tokens(config, "ana@example.com")))

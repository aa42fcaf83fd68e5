"""An address that is blocked or unlinked in the identity graph leaves by no export, and comes back when that is undone."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.events.identifiers import Resolver
from lakehouse.lake.delta import arrow_schema
from lakehouse.tables.identity import SILVER_IDENTITY_OVERRIDES
from tests.lakehouse.exports.shop import NOW, Shop, person

MAIL, PHONE = "ann@example.com", "+12025550143"


class World:
    """ann told an address and a number; her user id is u-1."""

    def __init__(self, folder: Path) -> None:
        columns = {"id": "profile_id", "mail": "email", "since": "email_told_at", "phone": "phone"}
        self.shop = Shop(
            folder, {"kind": "folder", "path": str(folder / "out")}, into="people.jsonl", mode="mirror", columns=columns,
            also=["gold.contacts"],
        )  # fmt: skip
        self.shop.people(person("ann"), person("bob"))
        told = {"profile_id": ["ann", "bob"], "email": [MAIL, "bob@example.com"], "phone": [PHONE, None]}
        told |= {"email_told_at": pa.array([NOW, NOW], pa.timestamp("us", tz="UTC"))}
        self.write("gold", "contacts", pa.table(told))
        resolver = Resolver(self.shop.config)
        self.mail, self.phone = resolver.resolve("email", MAIL), resolver.resolve("phone", PHONE)
        self.user = ("user_id", "u-1")
        assert self.mail is not None
        assert self.phone is not None
        self.carry(a1=(self.user, self.mail, self.phone))

    def carry(self, **actors: tuple[tuple[str, str] | None, ...]) -> None:
        """Let these actors be ann, and carry these."""
        edges = [(actor, *one) for actor, those in actors.items() for one in those if one is not None]
        names = ("actor_id", "identifier_type", "identifier_token")
        self.write(
            "silver", "identity_edges", pa.Table.from_pylist([dict(zip(names, one, strict=True)) for one in edges])
        )
        placed = [{"actor_id": actor, "profile_id": "ann"} for actor in actors]
        self.write("silver", "identity_map", pa.Table.from_pylist(placed))

    def overrule(self, action: str, *names: tuple[str, str] | None, undone_at: datetime | None = None) -> None:
        (first, *rest) = sorted(name for name in names if name is not None)
        second = rest[0] if rest else (None, None)
        row: dict[str, Any] = {
            "override_id": "o-1",
            "action": action,
            "created_by": "x",
            "reason": "x",
            "created_at": NOW,
        }
        row |= {"first_type": first[0], "first_token": first[1], "second_type": second[0], "second_token": second[1]}
        rows = pa.Table.from_pylist([row | {"undone_at": undone_at}], arrow_schema(SILVER_IDENTITY_OVERRIDES))
        self.write("silver", "identity_overrides", rows)

    def ann(self) -> tuple[str | None, bool, str | None]:
        """What an export tells of her: address, whether since when, number."""
        self.shop.run()
        lines = (self.shop.folder / "out" / "people.jsonl").read_text().splitlines()
        assert '"mail":"bob@example.com"' in lines[1]
        told = json.loads(lines[0])
        return told["mail"], told["since"] is not None, told["phone"]

    def write(self, layer: str, name: str, rows: pa.Table) -> None:
        write_deltalake(self.shop.lake / layer / name, rows, mode="overwrite", schema_mode="overwrite")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_blocked_is_told_of_nobody_until_that_is_undone(world: World) -> None:
    assert world.ann() == (MAIL, True, PHONE)
    world.overrule("block", world.mail)
    assert world.ann() == (None, False, PHONE)
    world.overrule("block", world.mail, undone_at=NOW)
    assert world.ann() == (MAIL, True, PHONE)


def test_of_an_unlinked_pair_the_weaker_is_told_of_who_does_not_carry_the_stronger(world: World) -> None:
    world.overrule("unlink", world.user, world.phone)
    assert world.ann() == (MAIL, True, None)
    world.carry(a1=(world.user, world.mail), a2=(world.mail, world.phone))
    assert world.ann() == (MAIL, True, PHONE), "another browser of hers carries the number by itself"


def test_a_number_without_country_code_is_that_of_the_country_it_was_told_in(world: World) -> None:
    told = {"profile_id": ["ann", "bob"], "email": [MAIL, "bob@example.com"], "phone": ["030 901820", None]}
    world.write("gold", "contacts", pa.table(told | {"country": ["Germany", None]}))
    assert world.ann() == (MAIL, False, "+4930901820")
    world.overrule("block", Resolver(world.shop.config).resolve("phone", "030 901820", "Germany"))
    assert world.ann() == (MAIL, False, None)


def test_what_names_no_address_of_the_profile_changes_nothing(world: World) -> None:
    world.overrule("unlink", world.user, ("user_id", "u-2"))
    assert world.ann() == (MAIL, True, PHONE)
    world.overrule("block", ("phone", "k:another"))
    assert world.ann() == (MAIL, True, PHONE)

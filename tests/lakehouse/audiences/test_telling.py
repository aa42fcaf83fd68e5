"""The topic of audiences: whatever happens, and wherever the process or the broker dies, its readers come to hold who is a member and may be told of."""

import random
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest

from lakehouse.audiences.declaration import DeclaredAudience
from lakehouse.audiences.telling import ENTERED, LEFT, AudienceTelling, Change
from lakehouse.decisions.gate import Permitted, Refused, permit
from lakehouse.errors import BrokerError, StoreError
from lakehouse.kafka.message import Message
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.contract import Table
from tests.accepted import at
from tests.lakehouse.decisions.circumstances import circumstances

PEOPLE, NAMES = ("p0", "p1", "p2", "p3"), ("vip", "new")
DECLARED = {
    name: DeclaredAudience(name=name, owner="o", description="d", where="TRUE", purpose="marketing") for name in NAMES
}
Pair = tuple[str, str]


class Died(Exception):
    """The process did."""


class World(Lake):
    """Gold, the ledger and the topic, in memory; the process that tells may die at any write, the broker at any record."""

    uses_delta_rs = False  # nothing lies beside it

    def __init__(self) -> None:
        self.since: dict[Pair, datetime] = {}
        self.ended: list[tuple[Pair, datetime, datetime]] = []
        self.withdrew: set[str] = set()
        self.ledger: dict[Pair, dict[str, Any]] = {}
        self.topic: list[dict[str, Any]] = []
        self.now = at("2026-02-01 00:00")
        self.is_heard = True
        self.dies_after: int | None = None  # writes and records
        self.is_broker_away = False

    def clock(self) -> datetime:
        self.now += timedelta(seconds=90)
        return self.now

    def _live(self) -> None:
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise Died

    def batches(self, table: Table, *, columns: Sequence[str] | None = None) -> Any:
        pairs = [*self.since, *(pair for pair, *_ in self.ended)] if table is GOLD_AUDIENCES else [*self.ledger]
        yield pa.RecordBatch.from_pydict({"profile_id": pa.array([profile for profile, _ in pairs], pa.string())})

    def rows_with(
        self, table: Table, column: str, values: Iterable[str], *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        stays = [(pair, since, None) for pair, since in self.since.items()]
        gold = [
            {"profile_id": p, "audience": a, "version": "1", "valid_from": since, "valid_to": to}
            for (p, a), since, to in (*stays, *self.ended)
        ]
        rows = gold if table is GOLD_AUDIENCES else list(self.ledger.values())
        wanted = set(values)
        return pa.Table.from_pylist([row for row in rows if row["profile_id"] in wanted], arrow_schema(table))

    def add(self, rows: pa.Table, table: Table) -> None:
        assert not {(row["profile_id"], row["audience"]) for row in rows.to_pylist()} & self.ledger.keys()
        self.upsert(rows, table)

    def upsert(self, rows: Any, table: Table, **_: Any) -> None:
        assert table is OPS_AUDIENCE_MEMBERS
        if rows.num_rows:
            self._live()
        for row in rows.to_pylist():
            pair = (row["profile_id"], row["audience"])
            if row.pop("is_deleted", False):
                self.ledger.pop(pair, None)
            else:
                self.ledger[pair] = row

    def send(self, left: Sequence[Message], entered: Sequence[Permitted[Message]]) -> None:
        for message in [*left, *(one.what for one in entered)]:
            if self.is_broker_away:
                raise BrokerError("away")
            self._live()
            assert message.value is not None
            self.topic.append(orjson.loads(message.value))

    def look(self, profile_ids: Collection[str]) -> "World":
        return self

    def permit(self, change: Change, declared: DeclaredAudience) -> Permitted[Change] | Refused:
        word = {declared.purpose: change.profile_id not in self.withdrew}
        return permit(change, circumstances(now=self.now, consent=word), declared.purpose, declared.use)

    def process(self) -> AudienceTelling:
        """A new one, as after a start."""
        return AudienceTelling(
            self, DECLARED, look=self.look, send=self.send, heard=lambda _: self.is_heard, clock=self.clock
        )

    @property
    def wanted(self) -> set[Pair]:
        return {pair for pair in self.since if pair[0] not in self.withdrew}


def held_by_reader(topic: Sequence[dict[str, Any]]) -> set[Pair]:
    """Who is a member to a reader that lets go of what it has read before, by its id."""
    seen, held = set(), set[Pair]()
    for one in topic:
        if one["event_id"] in seen:
            continue
        seen.add(one["event_id"])
        pair = (one["profile_id"], one["audience"])
        (held.add if one["change"] == ENTERED else held.discard)(pair)
    return held


def happens(world: World, chance: random.Random) -> set[str]:
    """Somebody enters or leaves, withdraws or consents again; who it was."""
    profile, name = chance.choice(PEOPLE), chance.choice(NAMES)
    if chance.random() < 0.3:
        world.withdrew ^= {profile}
    elif (profile, name) in world.since:
        world.ended.append(((profile, name), world.since.pop((profile, name)), world.clock()))
    else:
        world.since[profile, name] = world.clock()
    return {profile}


def test_readers_come_to_hold_what_gold_says_wherever_it_dies(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR", "stitchlake.audiences")  # else it tells of every outage
    for seed in range(60):
        lives(seed)


def lives(seed: int) -> None:
    """A history of forty steps, at whose end all is well again."""
    chance, world = random.Random(seed), World()
    process = world.process()
    for _ in range(40):
        touched = happens(world, chance)
        if chance.random() < 0.4:
            touched |= happens(world, chance)
        world.is_broker_away = chance.random() < 0.15
        world.is_heard = chance.random() > 0.15
        world.dies_after = chance.randrange(6) if chance.random() < 0.3 else None
        try:
            process.tell(touched, None)
        except Died:
            process = world.process()
    world.is_broker_away, world.is_heard, world.dies_after = False, True, None
    world.now += timedelta(hours=1)
    process.tell((), None)
    assert held_by_reader(world.topic) == world.wanted == set(world.ledger), seed
    assert not process.is_due
    sent = len(world.topic)
    world.process().tell((), None)
    assert len(world.topic) == sent, "who was told of is not told of again"


def test_nobody_hears_of_whom_they_may_not() -> None:
    world = World()
    process = world.process()
    world.since["p0", "vip"] = at("2026-02-01 00:00")
    world.withdrew.add("p0")
    process.tell({"p0"}, None)
    del world.since["p0", "vip"]
    process.tell({"p0"}, None)
    assert world.topic == []


def test_who_withdraws_leaves_and_enters_again_by_another_event() -> None:
    world = World()
    process, since = world.process(), at("2026-02-01 00:00")
    world.since["p0", "vip"] = since
    process.tell({"p0"}, None)
    world.withdrew.add("p0")
    process.tell({"p0"}, None)
    world.withdrew.clear()
    process.tell({"p0"}, None)
    assert [one["change"] for one in world.topic] == [ENTERED, LEFT, ENTERED]
    assert len({one["event_id"] for one in world.topic}) == 3
    first = world.topic[0]
    assert first == {
        "event_id": first["event_id"], "profile_id": "p0", "audience": "vip", "change": "entered",
        "at": "2026-02-01T00:00:00.000+00:00", "purpose": "marketing",
    }  # fmt: skip
    assert held_by_reader(world.topic) == {("p0", "vip")}


def test_who_is_in_an_audience_that_is_declared_no_more_leaves_it() -> None:
    world = World()
    world.since["p0", "vip"] = at("2026-02-01 00:00")
    world.process().tell(None, None)
    AudienceTelling(world, {}, look=world.look, send=world.send, heard=lambda _: True, clock=world.clock).tell((), None)
    assert [one["change"] for one in world.topic] == [ENTERED, LEFT]
    assert world.ledger == {}


def test_while_nobody_knows_what_was_said_last_nothing_is_told_and_it_rests_ever_longer() -> None:
    world = World()
    asked: list[datetime] = []

    def nobody_knows(_: BatchRecord | None) -> bool:
        asked.append(world.now)
        raise StoreError("away")

    process = AudienceTelling(
        world, DECLARED, look=world.look, send=world.send, heard=nobody_knows, clock=lambda: world.now
    )
    world.since["p0", "vip"] = world.now
    for _ in range(40):
        process.tell(("p0",), None)
        world.now += timedelta(seconds=1)
    assert world.topic == []
    assert [(then - asked[0]).total_seconds() for then in asked] == [0, 1, 3, 7, 15, 31]

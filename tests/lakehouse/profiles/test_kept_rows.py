"""Events and records go by age; what was made of them stays, goes on, and is made again from the first day that is whole.

20 December    Ann is identified, orders, refuses analytics; she and Bob both tell of one order; Cat's stock is told; one record is broken
10/11 January  somebody's visit goes over midnight
31 January     Ann changes her address, and takes the old order back in part
"""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from batch.rebuild import check
from lakehouse.errors import LakeError
from lakehouse.lake.delta import Lake
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from lakehouse.profiles.kept_rows import kept_rows
from lakehouse.profiles.rebuild import rebuild
from lakehouse.profiles.repair import overwrite
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.queries.known_records import held_by
from lakehouse.queries.silver_from_bronze import refill
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.sessions.visit_index import index_of
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from tests.rows import message, order, track
from tests.streamed_world import NOW, World

OLD, NEW = datetime(2024, 12, 20, 12, tzinfo=UTC), datetime(2025, 1, 31, 12, tzinfo=UTC)
THEN = {"timestamp": "2024-12-20T10:00:00Z"}
ANN = {"userId": "ann-4711", "anonymousId": "ann-web"}
BOB = {"userId": "bob-1", "anonymousId": "bob-web"}
REFUSAL = {"consent": {"categoryPreferences": {"analytics": False}}}
BEFORE = [
    message("identify", "m1", **ANN, **THEN, traits={"email": "ann.gone@example.com", "first_name": "Ann"}),
    order("o-old", "m2", revenue=100) | ANN | THEN,
    track(message_id="m3", **ANN, **THEN, context=REFUSAL, properties={"product_id": "tea"}),
    order("o-both", "m4") | BOB | THEN,
    order("o-both", "m5") | ANN | {"timestamp": "2024-12-20T10:05:00Z"},
    order("o-bad", "m6", currency="nonsense") | BOB | THEN,
]  # fmt: skip
AT_NIGHT = [
    track(message_id="m7", anonymousId="night", timestamp="2025-01-10T23:50:00Z"),
    track(message_id="m8", anonymousId="night", timestamp="2025-01-11T00:10:00Z"),
]
SINCE = [
    message("identify", "m11", **ANN, traits={"email": "ann.now@example.com"}),
    track("Order Refunded", "m12", **ANN, properties={"order_id": "o-old", "revenue": 30}),
    order("o-new", "m13") | BOB,
]
# Who was away tells late of days whose events have gone, and of the night.
LATE = [
    message("identify", "m21", **ANN, timestamp="2024-12-21T10:00:00Z", traits={"last_name": "Gone"}),
    track(message_id="m22", anonymousId="night", timestamp="2025-01-11T00:20:00Z"),
    track("Order Refunded", "m23", **ANN, timestamp="2024-12-22T10:00:00Z", properties={"order_id": "o-old", "revenue": 5}),
    track(message_id="m24", **ANN, timestamp="2025-02-09T10:00:00Z", properties={"product_id": "tea"}),
]  # fmt: skip


@pytest.fixture
def world(lake: Lake) -> World:
    """Its events go after 30 days, by the streams' own upkeep: from 11 January on everything is there."""
    days = {"events_days": 30, "bronze_days": 30, "quarantine_days": 30}
    lake.config = replace(lake.config, retention=replace(lake.config.retention, **days))
    made = World(lake)
    made.send(BEFORE, arrival=OLD)
    made.send(AT_NIGHT, arrival=datetime(2025, 1, 11, 6, tzinfo=UTC))
    made.send(SINCE, arrival=NEW)
    return made


def age(world: World) -> dict[str, int]:
    tables = (BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE, SILVER_SESSIONS)
    upkeep = Upkeep(world.lake, tables, clock=lambda: NOW)
    return {one.table: one.aged for one in upkeep.all(is_bounded=False)}


def rows(lake: Lake, table: Table) -> list[Any]:
    """But for when they were written."""
    said = [column.name for column in table.columns if not column.is_write_time]
    return sorted(map(repr, lake.read(table).select(*said).collect()))


MADE = (
    SILVER_ACTIVITY_DAILY,
    SILVER_ORDERS,
    SILVER_PERSONAL_TRAITS,
    SILVER_CONSENT,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_EDGES,
    GOLD_ACTIVATION,
    GOLD_CONTACTS,
)


def test_what_was_made_of_rows_that_went_stays_and_what_cannot_be_made_again_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = world.lake
    assert kept_rows(lake) is None
    before = {table.name: rows(lake, table) for table in MADE}
    known = held_by(lake, {"events": SILVER_EVENTS, "records": BRONZE_EVENTS})
    assert age(world) == {"bronze.events": 6, "silver.events": 6, "silver.events_quarantine": 0, "silver.sessions": 3}
    assert world.column(SILVER_EVENTS, "message_id") == ["m11", "m12", "m13", "m8"]
    assert {table.name: rows(lake, table) for table in MADE} == before
    assert held_by(lake, {"events": SILVER_EVENTS, "records": BRONZE_EVENTS}) == known
    kept = kept_rows(lake)
    assert kept is not None
    assert kept.since == date(2025, 1, 11)
    lake.overwrite(lake.read(SILVER_ACTIVITY_DAILY).where("activity_date != '2025-01-31'"), SILVER_ACTIVITY_DAILY)
    check(lake)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert "silver.events begins on 2025-01-11" in first
    found = {name: one["differences"] for name, one in json.loads(last)["tables"].items() if one["differences"]}
    assert found == {"silver.activity_daily": 3}, "from the first whole day on a difference is found"
    with pytest.raises(LakeError, match=r"bronze.events: begins on 2025-01-11, got records of before gone"):
        refill(lake)


def test_what_comes_late_is_added_a_rebuild_keeps_what_stays_and_an_erasure_finds_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = world.lake
    age(world)
    world.upkeep.agings += 1  # as the streams' own upkeep counts
    world.send(LATE, arrival=datetime(2025, 2, 9, 12, tzinfo=UTC))
    orders = {row["order_id"]: row["revenue"] for row in lake.read(SILVER_ORDERS).collect()}
    assert orders["o-old"] == Decimal(65)
    assert world.column(SILVER_PERSONAL_TRAITS, "trait") == ["email", "email", "first_name", "last_name"]
    with index_of(lake).transaction() as transaction:
        assert transaction.stat(index_of(lake)._maps["clusters"])["entries"] == 6, (
            "nothing of what went is beside the driver"
        )
    before = {table.name: rows(lake, table) for table in MADE}
    overwrite(lake, rebuild(lake, Champions.now(lake.config), now=NOW, keep_as_of=True), now=NOW)
    assert {table.name: rows(lake, table) for table in MADE} == before

    # Who is erased after their events have gone leaves nothing, and others keep what they said of the same order.
    erasure = world.ask("user_id", "ann-4711")
    world.erasures.carry_out()
    assert world.receipt(erasure)["outcome"] == "erased"
    orders = {row["order_id"]: row for row in lake.read(SILVER_ORDERS).collect()}
    assert orders.keys() == {"o-both", "o-new"}
    assert [one["message_id"] for one in orders["o-both"]["statements"]] == ["m4"]
    assert "ann-4711" not in repr([rows(lake, table) for table in MADE])
    check(lake)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["tables"]
    # The clock of this world stands, and a rebuild tells of changes after all that was told: later than the erasure.
    assert {name for name, one in told.items() if one["differences"]} <= {"gold.changes"}

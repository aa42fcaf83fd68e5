"""The ledger on a real lake: people who change their minds, become one and are two again.

What holds is worked out by hand below. The rule itself is held by tests/lakehouse/consent/test_standing.py; here the micro-batch, Spark over
everybody, ledger and command say the same. From records to the ledger: tests/end_to_end/test_invariants.py, where every event speaks.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehouse.commands.consent import show
from lakehouse.consent.ledger import COLUMNS, statements_of
from lakehouse.consent.rulings import RULED
from lakehouse.consent.torn_profiles import torn_actors
from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.profiles.differences import compare, summarise
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION, other_purposes
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.tables import GOLD, made_first
from lakehouse.queries import events as query
from lakehouse.queries import ledger_history
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import ALSO_SAID
from lakehouse.tables.events import SILVER_EVENTS
from tests.accepted import at, event, few_leaves, once
from tests.small_lake import copy_empty_tables

Said = dict[str, Any]
WORDS = ("analytics", "personalization", "marketing")
DAY = "2026-01-31"


def said(id_: str, when: str, words: Said | None = None, *, basis: Said | None = None, **who: str) -> Said:
    """An event of that time of the day."""
    time = f"{DAY} {when}"
    consent = None if words is None else {"at": at(time), "message_id": id_, **dict.fromkeys(WORDS), **words}
    told = None if words is None else {"source": "categories", "told_by": "shop.js"} | (basis or {})
    return event(id_, time, consent=consent, consent_basis=told, **who)


SIGNAL = {"source": "gpc", "others": [{"purpose": "sale", "is_allowed": False}]}
FIRST = [
    said("p1", "09:00", {"marketing": False}, anonymous_id="phone"),
    said("l1", "09:10", {"marketing": True, "analytics": True}, anonymous_id="laptop"),
    said("q1", "09:20", {"marketing": False}, basis=SIGNAL, anonymous_id="quiet"),
    said("c1", "09:30", {}, basis={"jurisdiction": "US-CA", "text_version": "7"}, anonymous_id="car"),
    said(
        "n1",
        "09:40",
        anonymous_id="van",
    ),
]
LOGIN = [
    said("p2", "10:00", anonymous_id="phone", user_id="ann"),
    said("l2", "10:10", anonymous_id="laptop", user_id="ann"),
    said("l0", "09:05", {"analytics": False}, anonymous_id="laptop"),  # late: before what is known
]
AGAIN = [said("p3", "11:00", {"marketing": True}, anonymous_id="phone")]
SPLIT = [said("p4", "11:30", {"analytics": False}, anonymous_id="phone", user_id="bob")]


class World(NamedTuple):
    """`clock`: the time of the next micro-batch, in a list of one."""

    lake: Lake
    batch: MicroBatch
    clock: list[datetime]

    def feed(self, when: str, rows: Sequence[Said]) -> None:
        """Take in the events at that time of the day."""
        self.clock[:] = [at(f"{DAY} {when}")]
        number = len(self.batch.records)
        beside = {"is_bot": False, "is_clamped": False, "content_hash": 0, "topic": "events", "partition": 0}
        kept = [
            {**row, **beside, "received_at": row["occurred_at"], "offset": 100 * number + n}
            for n, row in enumerate(rows)
        ]
        self.lake.add(pa.Table.from_pylist(kept, schema=arrow_schema(SILVER_EVENTS)), SILVER_EVENTS)
        self.batch(few_leaves(self.lake, rows), once(number))

    def gold(self) -> dict[tuple[str, ...], tuple[bool | None, ...]]:
        """By user ids what holds of WORDS."""
        rows = self.lake.read(GOLD_ACTIVATION).where("size(user_ids) > 0").collect()
        return {tuple(row["user_ids"]): tuple(row[f"consent_{word}"] for word in WORDS) for row in rows}


@pytest.fixture(scope="module")
def world(new_lake: Any) -> World:
    lake, clock = new_lake("consent"), [at(f"{DAY} 00:00")]
    copy_empty_tables(lake)
    return World(lake, MicroBatch(lake, Champions(lake.config), clock=lambda: clock[0]), clock)


def test_people_change_their_minds_become_one_and_are_two_again(world: World) -> None:
    lake = world.lake
    world.feed("09:45", FIRST)
    rows = lake.read(GOLD_ACTIVATION).orderBy("first_seen_at").collect()
    assert [tuple(row[f"consent_{word}"] for word in WORDS) for row in rows] == [
        (False, False, False),  # who answered, and did not say so
        (True, False, True),
        (None, None, False),  # a browser's signal is no answer
        (False, False, False),
        (None, None, None),
    ]
    assert [row["jurisdictions"] for row in rows] == [None, None, None, ["US-CA"], None]
    assert [row["consent_said_at"] is not None for row in rows] == [True, True, True, True, False]
    told = [None if row["consent_said"] is None else [one["purpose"] for one in row["consent_said"]] for row in rows]
    assert told == [["marketing"], ["analytics", "marketing"], ["marketing", "sale"], [], None]
    world.feed("10:15", LOGIN)
    assert world.gold() == {("ann",): (True, False, False)}  # the most restrictive word; of analytics only one spoke
    world.feed("11:31", [*AGAIN, *SPLIT])
    split = world.gold()
    assert len(split) == 2
    assert split[("ann",)] == (True, False, True)
    assert split[("bob",)][0] is False
    whole = made_first(GOLD_ACTIVATION, GOLD)
    everybody = world.batch.touched.of_everybody((), at(f"{DAY} 11:30"), world.clock[0], whole)
    found = summarise(
        GOLD_ACTIVATION, compare(GOLD_ACTIVATION, lake.read(GOLD_ACTIVATION), everybody.tables[GOLD_ACTIVATION])
    )
    assert (found.missing, found.extra, found.rows) == (0, 0, 6)
    rows = lake.read(GOLD_ACTIVATION).where("size(user_ids) > 0").select("user_ids", "consent_said").collect()
    last = {row["user_ids"][0]: {one["purpose"]: f"{one['at']:%H:%M}" for one in row["consent_said"]} for row in rows}
    assert last["ann"] == {"analytics": "09:10", "marketing": "09:10"}
    assert last["bob"] == {"analytics": "11:30"}, "what the phone said without a user is of neither"


def test_the_ledger_of_an_older_lake_is_filled_once(world: World) -> None:
    lake = world.lake
    for _ in range(2):
        ledger_history.fill(lake, query.NAME)
    rows = lake.read(SILVER_CONSENT).orderBy("said_at", "purpose").collect()
    assert [(row["message_id"], row["purpose"], row["status"], row["source"]) for row in rows] == [
        ("p1", "marketing", "denied", "categories"),
        ("l0", "analytics", "denied", "categories"),
        ("l1", "analytics", "granted", "categories"),
        ("l1", "marketing", "granted", "categories"),
        ("q1", "marketing", "denied", "gpc"),
        ("q1", "sale", "denied", "gpc"),
        ("c1", "*", "unsaid", "categories"),
        ("p3", "marketing", "granted", "categories"),
        ("p4", "analytics", "denied", "categories"),
    ]
    (car,) = [row for row in rows if row["message_id"] == "c1"]
    assert (car["jurisdiction"], car["text_version"], car["told_by"]) == ("US-CA", "7", "shop.js")


def test_the_ledger_proves_what_held_at_any_time(world: World) -> None:
    def told(when: str, cookie: str = "laptop") -> list[str]:
        lines = show(world.lake, "anonymous_id", cookie, at(f"{DAY} {when}")).splitlines()
        start = next(number for number, line in enumerate(lines) if "marketing:" in line)
        return [line.strip() for line in lines[start : start + 2]]

    assert told("10:30")[0].startswith("marketing: not allowed, the most restrictive word of those who became one")
    assert "denied 2026-01-31 09:00:00 UTC, message p1," in told("10:30")[1]
    now = show(world.lake, "anonymous_id", "car")
    assert "jurisdiction US-CA" in now
    assert "marketing: not allowed, they were asked" in now
    assert now.endswith("gold.activation says the same")
    assert show(world.lake, "user_id", "ann").endswith("gold.activation says the same")
    with pytest.raises(StitchlakeError, match="consent show anonymous_id: a blocked value"):
        show(world.lake, "anonymous_id", "unknown")


def test_each_purpose_that_a_statement_names_is_a_row(spark: SparkSession) -> None:
    others = [{"purpose": "sale", "is_allowed": False}, {"purpose": "sms", "is_allowed": True}]
    events = [
        said("m1", "09:00", {"analytics": True, "marketing": False}, anonymous_id="a"),
        said("m2", "09:00", {}, basis={"source": "tcf", "jurisdiction": "DE", "others": others}, anonymous_id="b"),
        said("m3", "09:00", {}, anonymous_id="c") | {"location": {"country": "US", "region": "US-CA"}},
        said("m4", "09:00", anonymous_id="d"),
        said("m5", "09:00", {"analytics": True}, anonymous_id="a robot") | {"is_bot": True},
        said("m6", "09:00", {"personalization": True}, anonymous_id="e")
        | {"consent_basis": None},  # of an older release
    ]
    schema = pa.schema([arrow_schema(SILVER_EVENTS).field(name) for name in COLUMNS])
    rows = statements_of(pa.Table.from_pylist([{"is_bot": False} | row for row in events], schema)).to_pylist()
    told = {(row["message_id"], row["purpose"]): (row["status"], row["source"], row["jurisdiction"]) for row in rows}
    assert told == {
        ("m1", "analytics"): ("granted", "categories", None),
        ("m1", "marketing"): ("denied", "categories", None),
        ("m2", "sale"): ("denied", "tcf", "DE"),
        ("m2", "sms"): ("granted", "tcf", "DE"),
        ("m3", "*"): ("unsaid", "categories", "US-CA"),
        ("m6", "personalization"): ("granted", None, None),
    }
    assert len(rows) == len(told)
    assert statements_of(schema.empty_table()).num_rows == 0


def word(purpose: str, is_allowed: bool, when: str = "09:00") -> Said:
    return {"purpose": purpose, "at": at(f"{DAY} {when}"), "message_id": "m", "is_allowed": is_allowed}


def test_purposes_without_a_column_are_named_where_they_hold_and_where_they_do_not(world: World) -> None:
    asked = at(f"{DAY} 09:00")
    cases: list[tuple[Any, list[Said], dict[str, bool] | None, list[str] | None, list[str] | None]] = [
        (None, [], None, None, None),
        (asked, [], None, None, ["sale", "sms"]),
        (None, [word("sale", True)], None, ["sale"], None),
        (asked, [word("sale", True), word("sms", False)], None, ["sale"], ["sms"]),
        (asked, [word("sale", True), word("sms", True)], {"sale": False, "marketing": True}, ["sms"], ["sale"]),
        (asked, [word("gone", True)], None, None, ["sale", "sms"]),
    ]
    schema = f"answered_at timestamp, also_said {ALSO_SAID}, {RULED} map<string,boolean>, allowed array<string>, refused array<string>"
    rows = world.lake.spark.createDataFrame(
        [(at_, [tuple(w.values()) for w in said], *rest) for at_, said, *rest in cases], schema
    )
    for row in rows.withColumns(other_purposes(("sms", "sale"))).collect():
        assert (row["also_allowed"], row["also_refused"]) == (row["allowed"], row["refused"]), row


def test_only_those_who_contradict_themselves_are_asked_about(spark: SparkSession) -> None:
    allowed, refused = ({"marketing": {"is_allowed": is_allowed}} for is_allowed in (True, False))
    actors = {"a1": "p", "a2": "p", "b1": "q", "b2": "q", "c1": "r", "c2": "r", "d1": "s"}
    told = [
        ("a1", allowed, None), ("a2", refused, None), ("b1", allowed, None), ("b2", allowed, [word("sale", True)]),
        ("c1", None, [word("sale", True)]), ("c2", None, [word("sale", False)]), ("d1", None, [word("sms", True), word("sale", False)]),
    ]  # fmt: skip
    rows = [{"actor_id": actor, "consent": consent, "also_said": said} for actor, consent, said in told]
    schema = pa.schema(
        [arrow_schema(SILVER_ACTIVITY_DAILY).field(name) for name in ("actor_id", "consent", "also_said")]
    )
    assert torn_actors(pa.Table.from_pylist(rows, schema), actors) == ["a1", "a2", "c1", "c2"]
    assert torn_actors(schema.empty_table(), {}) == []
